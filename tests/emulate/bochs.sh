#!/bin/bash
# bochs.sh: check-instructions on a CPU that is not ours either: the emulator against Bochs, which has AVX-512.
#
#     tests/emulate/bochs.sh BUILD [CPU-MODEL]        CPU-MODEL: tigerlake, corei7_icelake_u, corei7_skylake_x
#
# A Debian kernel boots in Bochs, with the program and its libraries as its only files, and what the program prints
# comes over the serial line.  Takes one to three minutes.  Exit 0 when all forms are equal but those of `known`,
# 1 otherwise, 77 when something is missing.  No part of `meson test`: it wants packages that nothing else needs, and
# downloads a kernel (which is unpacked, not installed).
#
# Packages: bochs bochsbios vgabios bochs-term busybox-static xorriso isolinux syslinux-common cpio zstd
set -euo pipefail

[ $# -ge 1 ] || { sed -n '4p' "$0" >&2; exit 2; }
program=$(realpath "$1/tests/emulate/check-instructions")
model=${2:-tigerlake}
limit=${BOCHS_SECONDS:-900}
folder=$(mktemp -d "${TMPDIR:-/tmp}/bochs.XXXXXX")
trap 'rm -rf "$folder"' EXIT

skip() { echo "skipped: $*"; exit 77; }

# Where Bochs 2.7 departs from the manual, and the emulator does not:
known() {
    cat <<'LIST'
vpsrlq $64          a count above 63 gives 0; AVX2's form on a real CPU does
vcvttpd2uqq         -0.9 becomes 0, which can be represented; Bochs's own conversion to 32 bits agrees
vpgatherqd          512-bit indices: bits above the 256 of the result become 0
vgatherqps          512-bit indices: bits above the 256 of the result become 0
kshiftlw $15        a count of 15 leaves a bit
kshiftrw $15        a count of 15 leaves a bit
LIST
}

needs() {
    local tool
    for tool in bochs busybox xorriso cpio apt-get dpkg-deb script; do
        command -v "$tool" >/dev/null || skip "no $tool; the packages are named in $0"
    done
    [ -x "$program" ] || skip "$program is not built (libzydis-dev?)"
    [ -f /usr/lib/ISOLINUX/isolinux.bin ] || skip "no isolinux"
}

get_kernel() {
    local package
    package=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
    [ -n "$package" ] || skip "apt-get knows no linux-image-cloud-amd64"
    (cd "$folder" && apt-get download -q "$package" >/dev/null 2>&1) || skip "$package can't be downloaded"
    dpkg-deb -x "$folder"/linux-image-*.deb "$folder/kernel"
    mv "$folder"/kernel/boot/vmlinuz-* "$folder/iso/linux"
}

# All files of the guest: a shell, the program, its libraries, and an init that prints how the program ends.
make_files() {
    local root=$folder/root library
    mkdir -p "$root"/{bin,dev,proc}
    cp "$(command -v busybox)" "$root/bin/busybox"
    cp "$program" "$root/bin/program"
    for library in $(ldd "$program" | grep -o '/[^ )]*'); do
        mkdir -p "$root$(dirname "$library")"
        cp -L "$library" "$root$library"
    done
    cat >"$root/init" <<'SH'
#!/bin/busybox sh
/bin/busybox mount -t devtmpfs none /dev
/bin/busybox stty -F /dev/ttyS0 raw
{ echo "guest begins"; /bin/program; echo "guest ends: $?"; } >/dev/ttyS0 2>&1
/bin/busybox sleep 100000
SH
    chmod +x "$root/init"
    (cd "$root" && find . | cpio -o -H newc --quiet) >"$folder/iso/files"
}

# clearcpuid: XSAVEC, XSAVES, PKU and FSRM, in whose CPUID leaves Bochs contradicts itself, so that Linux does not boot.
make_disk() {
    cp /usr/lib/ISOLINUX/isolinux.bin /usr/lib/syslinux/modules/bios/ldlinux.c32 "$folder/iso/isolinux/"
    cat >"$folder/iso/isolinux/isolinux.cfg" <<'CFG'
default linux
prompt 0
label linux
  kernel /linux
  append initrd=/files quiet console=ttyS0 clearcpuid=321,323,515,580 nosmp noapic nolapic nokaslr nopti mitigations=off no_timer_check tsc=reliable lpj=1000000 nowatchdog cryptomgr.notests hpet=disable
CFG
    xorriso -as mkisofs -quiet -o "$folder/disk.iso" -b isolinux/isolinux.bin -c isolinux/boot.cat -no-emul-boot \
        -boot-load-size 4 -boot-info-table "$folder/iso" 2>/dev/null
}

start_bochs() {
    cat >"$folder/bochsrc" <<RC
cpu: model=$model, count=1, ips=50000000, reset_on_triple_fault=0
megs: 512
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest
display_library: term
clock: sync=none, time0=utc
ata0-master: type=cdrom, path="$folder/disk.iso", status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev="$folder/serial"
speaker: enabled=0
log: $folder/log
panic: action=fatal
error: action=ignore
info: action=ignore
RC
    echo c >"$folder/go" # Debian's Bochs begins in its debugger
    : >"$folder/serial"
    TERM=linux setsid script -qec "exec bochs -q -unlock -rc $folder/go -f $folder/bochsrc" /dev/null \
        </dev/null >"$folder/screen" 2>&1 &
    bochs=$!
    trap 'kill -- -"$bochs" 2>/dev/null || true; rm -rf "$folder"' EXIT
}

wait_for_guest() {
    local second
    for ((second = 0; second < limit; second++)); do
        ! grep -q '^guest ends' "$folder/serial" || return 0
        kill -0 "$bochs" 2>/dev/null || break
        sleep 1
    done
    echo "the guest did not end; the last of its serial line:" >&2
    tail -n 20 "$folder/serial" >&2
    return 1
}

needs
mkdir -p "$folder/iso/isolinux"
get_kernel
make_files
make_disk
start_bochs
wait_for_guest || exit 1
tr -d '\r' <"$folder/serial" | sed -n '/^guest begins/,$p' >"$folder/printed"
grep ': wrong in round' "$folder/printed" >"$folder/wrong" || true
known | sed 's/  .*//' >"$folder/known"
grep -v -F -f "$folder/known" "$folder/wrong" >"$folder/new" || true
grep -h ' forms, ' "$folder/printed"
echo "$(wc -l <"$folder/wrong") differ, $(wc -l <"$folder/new") of them not by a known fault of Bochs ($model)"
cat "$folder/new"
[ ! -s "$folder/new" ] && grep -q ' forms, ' "$folder/printed"
