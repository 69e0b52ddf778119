#!/usr/bin/env bash
# fuzz.sh: coverage-guided fuzzing of the importers and the passes, a process for each format.
#
#     fuzz.sh [--seconds=N | --runs=N] [--jobs=N] [--seed=N] [--corpus=FOLDER] [--harness=fuzz-passes|fuzz-import] BUILD [FORMAT…]
#
# BUILD was configured with clang and -Dfuzz=true.  FORMAT is tflite, ort, onnx, nb, pdmodel, json or qir; all seven by default.  --seconds and
# --runs are for each of them; --jobs of them run at once.  Without --seed each run tries other inputs.  The corpus, a folder
# for each format, begins with the models of the tests and grows; the second time it begins with what it has.  An input that
# fails is left in the folder `found` beside them, and is printed when it is small.  The exit code is 0 when nothing failed.
set -u
source=$(cd "$(dirname "$0")/../.." && pwd)
seconds=60 runs=-1 jobs=1 seed=0 corpus='' harness=fuzz-passes
while [[ ${1-} == --* ]]; do
    case $1 in
    --seconds=*) seconds=${1#*=} ;;
    --runs=*) runs=${1#*=} seconds=0 ;;
    --jobs=*) jobs=${1#*=} ;;
    --seed=*) seed=${1#*=} ;;
    --corpus=*) corpus=${1#*=} ;;
    --harness=*) harness=${1#*=} ;;
    *) echo "fuzz.sh: unknown option $1" >&2; exit 2 ;;
    esac
    shift
done
build=${1:?the folder of a build with -Dfuzz=true}
shift
program=$build/tests/fuzz/$harness
[ -x "$program" ] || { echo "fuzz.sh: there is no $program: configure with -Dfuzz=true" >&2; exit 2; }
corpus=${corpus:-$build/tests/fuzz/corpus}
formats=("$@")
[ $# -gt 0 ] || formats=(tflite ort onnx nb pdmodel json qir)
most_bytes=16384 # of a file: what is larger is mostly weights

# The models of the tests, or parts of them; of the graphs in text those that have an op, or a type of its result, that none before had.
gather() {
    local to=$corpus/$1 model
    [ -d "$to" ] && return
    mkdir -p "$to"
    if [ "$1" = qir ]; then
        find "$source/tests" -name '*.qir' -exec awk -v to="$to" -v most=$most_bytes '
            /^graph/ { text = ""; new = 0 }
            { text = text $0 "\n" }
            / = [a-z]/ { what = $0; sub(/^.*%[0-9]+:/, "", what); kind = what; sub(/<.*$/, "", kind); sub(/^.* = /, "", what)
                sub(/ .*$/, "", what); if (!seen[what, kind]++) new = 1 }
            /^}/ && new && length(text) <= most { name = to "/" ++count ".qir"; printf "%s", text >name; close(name) }' {} +
    elif [ "$1" = json ]; then # of the programs, each operator by itself; other files are what tests expect of a model
        for model in "$source"/tests/data/paddle/*.json; do
            "$source/tests/fuzz/pieces.py" "$model" "$to"
        done
        cp "$source"/tests/data/refused/pir_*.json "$to"
    else
        find "$source/tests/data" -name "*.$1" -size -$((most_bytes / 1024))k -exec cp --backup=numbered -t "$to" {} +
    fi
}

# The harness on one format: how many inputs it tried, and what they reached.  Entropic weights take two thirds of the time.
fuzz() {
    local found=$corpus/found log=$corpus/$1.log status
    ASAN_OPTIONS=quarantine_size_mb=32:max_allocation_size_mb=1024 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
        "$program" -entropic=0 -max_len=$most_bytes -timeout=10 -rss_limit_mb=2048 -max_total_time="$seconds" \
        -seed="$seed" -runs="$runs" -print_final_stats=1 -artifact_prefix="$found/$1-" "$corpus/$1" >"$log" 2>&1
    status=$?
    printf '%s: %s inputs, %s\n' "$1" "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")" \
        "$(grep -o 'cov: .*corp: [^ ]*' "$log" | tail -n 1)"
    return $status
}

# What is known of a failure, for a log that is all that is left of a machine.
explain() {
    local log=$corpus/$1.log input
    grep -vE '^#[0-9]+\s' "$log" | tail -n 60
    input=$(sed -n 's/.*Test unit written to //p' "$log" | tail -n 1)
    [ -n "$input" ] || return
    echo "the input: $input"
    [ "$(stat -c %s "$input")" -gt 8192 ] || base64 "$input"
}

mkdir -p "$corpus/found"
failed=0
for ((i = 0; i < ${#formats[@]}; i += jobs)); do
    running=()
    for format in "${formats[@]:i:jobs}"; do
        gather "$format"
        fuzz "$format" &
        running+=("$! $format")
    done
    for one in "${running[@]}"; do
        wait "${one% *}" || { failed=1; explain "${one#* }"; }
    done
done
exit $failed
