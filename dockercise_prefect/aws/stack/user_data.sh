# The first boot of a host: installs the engine and dockercise on Debian 13, and lets `dockercise host install` do the rest.
#
# The template puts this text after a line that exports STACK and REGION, and cloud-init runs it as root once for each instance. If it
# fails, the machine runs it again at each boot: what is there already is left alone. Lines that begin with `dockercise:` are for the console of the instance, which
# `dockercise aws up` shows. If a step fails, it says which, also in the parameter `report`.
set -euo pipefail

export AWS_DEFAULT_REGION="$REGION" DEBIAN_FRONTEND=noninteractive PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1
BOOT=/opt/dockercise/boot
CURRENT=/opt/dockercise/current
AGAIN=/opt/dockercise/first-boot
UNITS=/etc/systemd/system
STEP=start
STARTED="$(date +%s)"

step() {
    STEP="$1"
    echo "dockercise: $STEP"
}

# Mirrors, and the network of a fresh instance, fail now and then.
again() {
    for _ in 1 2 3 4; do
        "$@" && return
        sleep 10
    done
    "$@"
}

ended() {
    [ "$1" -ne 0 ] || return 0
    echo "dockercise: failed: $STEP (/var/log/cloud-init-output.log says more)"
    # Before boto3 is installed, nothing can write a report.
    [ ! -x "$BOOT/bin/python" ] || "$BOOT/bin/python" - "$STEP" "$STARTED" <<'PYTHON' || echo "dockercise: the report could not be written"
import json, os, sys, time
import boto3

ssm, name = boto3.client("ssm"), f"/dockercise/{os.environ['STACK']}/report"
said = json.loads(ssm.get_parameter(Name=name)["Parameter"]["Value"])
# `dockercise host install` reports its own errors, and more exactly.
if said.get("phase") != "failed" or said["at"] < int(sys.argv[2]):
    report = {"at": int(time.time()), "phase": "failed", "error": f"the first boot failed: {sys.argv[1]}"}
    ssm.put_parameter(Name=name, Value=json.dumps(report), Overwrite=True)
PYTHON
}
trap 'ended $?' EXIT

if [ -f "$0" ] && [ "$0" != "$AGAIN" ]; then
    install -D -m 0700 "$0" "$AGAIN"
    cat > "$UNITS/dockercise-first-boot.service" <<UNIT
[Unit]
Description=First boot of the dockercise host, again until it works
After=network-online.target
Wants=network-online.target
ConditionPathExists=!$AGAIN-done

[Service]
Type=oneshot
ExecStart=$AGAIN
StandardOutput=journal+console
TimeoutStartSec=3600

[Install]
WantedBy=multi-user.target
UNIT
    systemctl enable --quiet dockercise-first-boot
fi

step "install Debian's packages"
# Debian's engine only recommends apparmor, and starts no container without it where the kernel has AppArmor. The server for ssh is for
# jobs of another account, and runs only if the stack has the parameter Jobs.
PACKAGES=(apparmor ca-certificates curl docker.io git openssh-client openssh-server python3-venv)
if ! dpkg --status "${PACKAGES[@]}" >/dev/null 2>&1; then
    again apt-get -qq -o DPkg::Lock::Timeout=300 update
    again apt-get -qq -o DPkg::Lock::Timeout=300 install --no-install-recommends --yes "${PACKAGES[@]}"
fi

step "install boto3"
if ! "$BOOT/bin/python" -c "import boto3" 2>/dev/null; then
    python3 -m venv --clear "$BOOT"
    again "$BOOT/bin/pip" install --quiet "boto3>=1.35,<2"
fi

step "install the agent of Session Manager"
if ! command -v amazon-ssm-agent >/dev/null; then
    # Pushes run without it. Only `dockercise aws ui` and jobs of another account need it.
    AGENT="https://s3.$REGION.amazonaws.com/amazon-ssm-$REGION/latest/debian_$(dpkg --print-architecture)/amazon-ssm-agent.deb"
    if curl -fsS --retry 5 --connect-timeout 10 -o /tmp/amazon-ssm-agent.deb "$AGENT" && dpkg -i /tmp/amazon-ssm-agent.deb; then
        rm /tmp/amazon-ssm-agent.deb
    else
        echo "dockercise: the agent of Session Manager could not be installed: \`dockercise aws ui\` and jobs will not work"
    fi
fi

step "read what the stack says"
# Two lines: what pip installs, and the folder for it. A package in the bucket is downloaded. It may be uploaded after the stack is made.
SAID="$("$BOOT/bin/python" - <<'PYTHON'
import hashlib, json, os, pathlib, sys, time
import boto3

settings = json.loads(boto3.client("ssm").get_parameter(Name=f"/dockercise/{os.environ['STACK']}/host")["Parameter"]["Value"])
package = settings["package"]
release = pathlib.Path("/opt/dockercise/releases", hashlib.sha256(package.encode()).hexdigest()[:16])
if package.startswith("s3:"):
    s3, prefix, deadline = boto3.client("s3"), package.removeprefix("s3:"), time.monotonic() + 900
    while True:
        listed = s3.list_objects_v2(Bucket=settings["bucket"], Prefix=prefix).get("Contents", [])
        names = [one["Key"].removeprefix(prefix) for one in listed]
        if "requirements.lock" in names and any(name.endswith(".whl") for name in names):
            break
        if time.monotonic() > deadline:
            sys.exit(f"dockercise: s3://{settings['bucket']}/{prefix} has no wheel and no requirements.lock after 15 minutes")
        time.sleep(5)
    package = f"/opt/dockercise/downloads/{release.name}"
    pathlib.Path(package).mkdir(parents=True, exist_ok=True)
    for name in names:
        if "/" not in name and name.endswith((".whl", ".lock")):
            s3.download_file(settings["bucket"], prefix + name, f"{package}/{name}")
print(package, release, sep="\n")
PYTHON
)"
PACKAGE="${SAID%%$'\n'*}"
RELEASE="${SAID##*$'\n'}"

step "install dockercise"
if [ ! -e "$RELEASE/complete" ]; then
    python3 -m venv --clear "$RELEASE"
    if [ -d "$PACKAGE" ]; then
        again "$RELEASE/bin/pip" install --quiet --require-hashes --requirement "$PACKAGE/requirements.lock"
        "$RELEASE/bin/pip" install --quiet --no-deps "$PACKAGE"/*.whl
    else
        again "$RELEASE/bin/pip" install --quiet "$PACKAGE"
    fi
    touch "$RELEASE/complete"
fi
[ -e "$CURRENT" ] || ln -s "$RELEASE" "$CURRENT"

step "set up the host"
"$CURRENT/bin/dockercise" host install --stack "$STACK" --region "$REGION"
touch "$AGAIN-done"
echo "dockercise: the host is installed"
