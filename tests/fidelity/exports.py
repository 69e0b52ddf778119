"""exports.py: models that a script of tests/tools makes, in the Python that has its framework."""
import os
import subprocess

TOOLS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools")


def export(python, script, folder, **environment):
    """Runs SCRIPT FOLDER.  0, or after saying why: 77 where the framework is missing, else the code it failed with."""
    made = subprocess.run([python, os.path.join(TOOLS, script), folder], capture_output=True, text=True, check=False, env={**os.environ, **environment})
    if made.returncode:
        print(f"skipped: {made.stdout.strip().splitlines()[-1]}" if made.returncode == 77 else made.stdout + made.stderr)
    return made.returncode
