# Brings the Windfall agent to this machine, joins the pool, starts it. May be run again at any time.
home=/opt/windfall
file=$home/windfall-agent.pyz
state=/var/lib/windfall-agent
token=/etc/windfall-agent/token
settings=/etc/default/windfall-agent
log=/var/log/windfall-agent.log
umask 022

say() {
    echo "windfall: $*"
    for console in /dev/console /dev/tty1; do
        [ -c $console ] && (printf '\r\nwindfall: %s\r\n' "$*" >$console) 2>/dev/null
    done
    return 0
}
fail() {
    code=$1
    shift
    say "$*"
    exit "$code"
}
# "$python" -c "$drop" USER PROGRAM...: runs it as that user, without rights.
drop='import os, pwd, sys
user = pwd.getpwnam(sys.argv[1])
if os.getuid() != user.pw_uid:
    os.initgroups(user.pw_name, user.pw_gid)
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)
os.environ.update(HOME=user.pw_dir, USER=user.pw_name)
os.chdir("/")
os.execvp(sys.argv[2], sys.argv[2:])'
starting() {
    if [ -d /run/systemd/system ]; then
        unit=/etc/systemd/system/windfall-agent.service
        "$python" $file unit --user $user >$unit && systemctl daemon-reload &&
            systemctl enable --no-block --now windfall-agent ||
            fail 1 "The agent's service does not start; see journalctl -u windfall-agent"
    elif [ $$ = 1 ]; then
        exec "$python" -c "$drop" $user "$python" $file run
    else
        touch $log && chown $user $log
        "$python" -c "$drop" $user "$python" $file run </dev/null >>$log 2>&1 &
    fi
}
# Without a token a person joins this machine to the pool, at its console or from anywhere.
pairing() {
    if [ -d /run/systemd/system ] && [ -c /dev/tty10 ]; then
        "$python" $file unit --console --user $user >/etc/systemd/system/windfall-pair@.service &&
            systemctl daemon-reload && systemctl enable --no-block --now windfall-pair@tty10
    fi
    "$python" $file banner
    export WINDFALL_UNPAIRED=wait
    say "This machine belongs to nobody yet. Press Alt+F10, or log in as root and type" \
        "windfall-agent pair, and have $server/pair open on another screen."
    starting
}

[ -f $settings ] && { set -a; . $settings; set +a; }

python=
for try in $WINDFALL_PYTHON python3 python3.14 python3.13 python3.12 python3.11 python3.10 python3.9 \
    /cvmfs/sft.cern.ch/lcg/releases/Python/3.*/x86_64-*-opt/bin/python3; do
    if "$try" -c 'import sys; sys.exit(sys.version_info < (3, 9))' 2>/dev/null; then
        python=$(command -v "$try")
        break
    fi
done
[ -n "$python" ] || fail 13 "The agent needs Python 3.9 or newer, and this machine has none." \
    "Install it, or name one as WINDFALL_PYTHON in $settings, then run $0 again."

if [ -n "$digest" ]; then
    mkdir -p $home
    "$python" -c 'import hashlib, os, ssl, sys, time, urllib.request
url, path, wanted, ca = sys.argv[1:]
digest = lambda body: hashlib.sha256(body).hexdigest()
if os.path.exists(path) and digest(open(path, "rb").read()) == wanted:
    sys.exit()
trust = ssl.create_default_context(cafile=ca or None)
for wait in (1, 2, 4, 8, 16, 32, 60, 60, 0):
    try:
        with urllib.request.urlopen(url, timeout=60, context=trust) as answer:
            body = answer.read(256 << 20)
        break
    except OSError as error:
        if not wait:
            sys.exit("cannot fetch %s: %s" % (url, error))
        time.sleep(wait)
if digest(body) != wanted:
    sys.exit("%s is not the file that this context names; render the context anew" % url)
with open(path + ".new", "wb") as out:
    out.write(body)
os.chmod(path + ".new", 0o755)
os.replace(path + ".new", path)' "$server/agent/windfall-agent.pyz" $file "$digest" "$WINDFALL_CA" \
        >$home/fetch.log 2>&1 || fail 1 "The agent is not here: $(tail -n 1 $home/fetch.log)"
fi
[ -f $file ] || fail 1 "There is no agent at $file, and this context names none to be fetched."

user=windfall
id $user >/dev/null 2>&1 ||
    useradd --system --no-create-home --home-dir $state --shell /bin/false $user 2>/dev/null ||
    adduser -S -D -H -h $state $user 2>/dev/null
id $user >/dev/null 2>&1 || user=root
mkdir -p $state /usr/local/bin && chmod 0700 $state && chown -R $user $state
export WINDFALL_STATE=$state
printf '#!/bin/sh\nWINDFALL_STATE=${WINDFALL_STATE:-%s} exec "%s" "%s" "$@"\n' \
    $state "$python" $file >/usr/local/bin/windfall-agent
chmod 0755 /usr/local/bin/windfall-agent

if [ -n "$WINDFALL_TOKEN" ] && [ ! -s $token ]; then
    mkdir -p ${token%/*} && (umask 077; printf '%s\n' "$WINDFALL_TOKEN" >$token)
fi
unset WINDFALL_TOKEN
if [ ! -s $state/identity.json ]; then
    [ -s $token ] || { pairing; exit 0; }
    for again in 1 2 3 4 5 6 7 8 9 10; do
        "$python" -c "$drop" $user "$python" $file join --server "$server" --token-file - <$token
        code=$?
        [ $code = 6 ] || break
        sleep 15
    done
    [ $code = 0 ] || fail $code "This machine did not join $server; see docs/agent.md, exit code $code."
    rm -f $token
fi

say "The agent of $server goes to work; windfall-agent status tells what it does."
starting
