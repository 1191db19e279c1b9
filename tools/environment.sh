# Sourced by tools/test, tools/demo, tools/bench and tools/fleet, from the root of the checkout: makes .venv beside
# the code if it is not there, and brings it up to date when setup.cfg or pyproject.toml change.
venv=.venv
python=$venv/bin/python
# Tests and tools start hundreds of processes from these sources: else each would compile them.
unset PYTHONDONTWRITEBYTECODE

say() { printf '%s: %s\n' "$0" "$*" >&2; }
fail() { say "$*"; exit 1; }

candidates() { printf '%s\n' ${PYTHON:-} python3.11 python3.12 python3.13 python3.14 python3; }

find_python() {
    local name
    for name in $(candidates); do
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$name"
            return
        fi
    done
    fail "needs Python 3.11 or newer; install it, or name it: PYTHON=/path/to/python3.11 $0"
}

find_pip() {
    local name
    for name in $(candidates) pip; do
        # --python came with pip 22.3
        if [ "$name" = pip ] && pip --python "$1" --version >/dev/null 2>&1; then
            echo pip
            return
        elif "$name" -m pip --python "$1" --version >/dev/null 2>&1; then
            echo "$name -m pip"
            return
        fi
    done
    return 1
}

make_venv() {
    local base
    base=$(find_python)
    rm -rf "$venv"
    say "making $venv with $base"
    if "$base" -c 'import ensurepip' 2>/dev/null; then
        "$base" -m venv "$venv"
    elif "$base" -m venv --without-pip "$venv" 2>/dev/null && find_pip "$python" >/dev/null; then
        say "this Python has no ensurepip; another one's pip is used"
    elif command -v virtualenv >/dev/null; then
        rm -rf "$venv"
        say "this Python has no ensurepip; virtualenv is used"
        virtualenv --quiet --python "$base" "$venv"
    else
        rm -rf "$venv"
        fail "$base has no ensurepip, and there is no pip or virtualenv either;" \
            "run: apt-get install python3-venv"
    fi
}

# install_python_parts EXTRA: windfall with this extra, unless it is there already.
install_python_parts() {
    local pip="$python -m pip" stamp stamps="$venv/stamp-$1"
    stamp=$(cat setup.cfg pyproject.toml | sha256sum)
    if [ -x "$python" ] && [ "$(cat "$stamps" 2>/dev/null)" = "$stamp" ]; then
        return
    fi
    "$python" -c '' 2>/dev/null || make_venv
    $pip --version >/dev/null 2>&1 || pip=$(find_pip "$python") ||
        fail "no pip for $venv; run: apt-get install python3-venv; rm -rf $venv"
    [ "$pip" = "$python -m pip" ] || pip="$pip --python $python"
    say "installing windfall[$1] into $venv (a minute or two, once)"
    # Compiling Pythia takes half an hour: take the wheel, or fail.
    $pip --disable-pip-version-check install -qq --only-binary pythia8mc --editable ".[$1]" ||
        fail "the installation failed (see above)"
    echo "$stamp" >"$stamps"
}
