#!/usr/bin/env bash
# From a bare Debian or Ubuntu to a built, demonstrated or tested toolkit: installs the packages
# that are missing, builds, then runs the demo or every test. May be run again at any time: what
# is already there is not done twice, and with the packages in place it needs no network.
# docs/building.md explains the same steps by hand.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

# One row per need. CMake finds each of them; docs/building.md says how.
build_packages=(
  g++ cmake ninja-build pkg-config                  # compiler and build
  libhdf5-dev libzstd-dev zlib1g-dev libdeflate-dev # checkpoint containers
  libyaml-cpp-dev nlohmann-json3-dev                # configurations, manifests
  libfmt-dev libxxhash-dev libcli11-dev             # text, checksums, flags
  libsentencepiece-dev                              # tokenizer
  libpcre2-dev                                      # regular expressions of evaluation tasks
  libcpp-httplib-dev                                # HTTP
  libopenmpi-dev openmpi-bin                        # ranks in several processes
  libgtest-dev                                      # unit tests
)
test_packages=(
  python3 python3-venv hdf5-tools                   # other people's readers check our files
  xz-utils                                          # the hostile archives come packed
  cppcheck                                          # static analysis
  curl shellcheck                                   # the batch scripts and streams of the server; how scripts read
  dpkg-dev file                                     # our own Debian packages
)
# A Slurm of two nodes on this machine, for the time of one test. Not where a site has its own.
slurm_packages=(slurmctld slurmd slurm-client slurm-wlm-basic-plugins munge)
# Drives the server's page. Debian's; Ubuntu has it as a snap only, and that test then skips.
page_packages=(chromium)

readonly exit_failed=1 exit_usage=2 exit_environment=4
readonly memory_per_job_kib=$((1536 * 1024))
readonly venv=build/venv requirements=tests/python/requirements.txt

command_name="" install=yes jobs="" preset=cpu
stage_names=() stage_tenths=()

usage() {
  cat <<'TXT'
Usage: ./bootstrap.sh demo|test|build|packages [--no-install] [--jobs N] [--preset NAME]

  demo    build the tools, convert the demo model to TP2 x PP2, validate it against its archive,
          and let it write verse on 4 ranks
  test    build everything and run every test
  build   build everything
  packages
          print the Debian packages that a build needs, one a line, and do nothing

  --no-install    never call apt-get: stop if a Debian package is missing
  --jobs N        parallel compilations and tests (default: one per core, and at least 1.5 GB of
                  free memory for each)
  --preset NAME   a preset of CMakePresets.json (default: cpu); the build goes to build/NAME
  -h, --help      this text

Missing Debian packages are installed with apt-get as root or through sudo. Everything else stays
in the folder build/, which may be deleted at any time.

Exit codes: 0 done; 1 the build, the demo or a test failed; 2 wrong usage;
            4 a package is missing and cannot be installed
TXT
}

say() { printf '%s\n' "$@"; }
complain() { printf 'bootstrap.sh: %s\n' "$*" >&2; }
die() { local code=$1; shift; complain "$*"; exit "$code"; }
wrong_usage() { die "$exit_usage" "$1 (see ./bootstrap.sh --help)"; }

parse_arguments() {
  while (($#)); do
    case $1 in
      demo | test | build | packages)
        [[ -z $command_name ]] || wrong_usage "one command at a time: '$command_name' or '$1'"
        command_name=$1 ;;
      --no-install) install=no ;;
      --jobs | --preset)
        (($# > 1)) || wrong_usage "$1 needs a value"
        if [[ $1 == --jobs ]]; then jobs=$2; else preset=$2; fi
        shift ;;
      --jobs=*) jobs=${1#*=} ;;
      --preset=*) preset=${1#*=} ;;
      -h | --help) usage; exit 0 ;;
      *) wrong_usage "unknown argument '$1'; the commands are demo, test, build and packages" ;;
    esac
    shift
  done
  [[ -n $command_name ]] || wrong_usage "say what to do: demo, test, build or packages"
  [[ -z $jobs || $jobs =~ ^[1-9][0-9]{0,3}$ ]] || wrong_usage "--jobs takes a number from 1, not '$jobs'"
  [[ $preset =~ ^[A-Za-z0-9_-]+$ ]] || wrong_usage "--preset takes the name of a preset, not '$preset'"
}

# ---- time --------------------------------------------------------------------------------------

now_tenths() { local microseconds=${EPOCHREALTIME//[!0-9]/}; echo $((microseconds / 100000)); }

# stage NAME COMMAND...: runs the command and notes how long it took.
stage() {
  local name=$1 start
  shift
  start=$(now_tenths)
  "$@"
  stage_names+=("$name") stage_tenths+=($(($(now_tenths) - start)))
}

print_stages() {
  local i total=0
  say "" "$(printf '%-24s %9s' stage seconds)"
  for i in "${!stage_names[@]}"; do
    printf '%-24s %7d.%d\n' "${stage_names[i]}" $((stage_tenths[i] / 10)) $((stage_tenths[i] % 10))
    total=$((total + stage_tenths[i]))
  done
  printf '%-24s %7d.%d\n' total $((total / 10)) $((total % 10))
}

# ---- commands shown before they run ------------------------------------------------------------

show() {
  local argument line='$'
  for argument in "$@"; do
    if [[ $argument =~ ^[A-Za-z0-9_./:=,+-]+$ ]]; then line+=" $argument"; else line+=" \"$argument\""; fi
  done
  say "$line"
}

show_and_run() {
  local code=0
  show "$@"
  "$@" || code=$?
  ((code == 0)) || die "$exit_failed" "$1 stopped with exit code $code"
}

# ---- Debian packages ---------------------------------------------------------------------------

missing_packages() {
  local package
  for package in "$@"; do
    dpkg-query -W -f='${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || echo "$package"
  done
}

# Sets the array `as_root` to the words to put before a command; fails if there is no way.
find_root() {
  as_root=()
  ((EUID == 0)) && return
  command -v sudo >/dev/null || return
  sudo -n true 2>/dev/null || [[ -t 0 ]] || return  # without a terminal sudo cannot ask for a password
  as_root=(sudo)
}

apt_get() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get -q -o Acquire::Retries=3 -o DPkg::Lock::Timeout=120 "$@" </dev/null >>"$apt_log" 2>&1
}

install_packages() {
  local missing by_hand apt_log=build/apt.log as_root
  if ! command -v dpkg-query >/dev/null; then
    say "This system has no dpkg, so nothing is installed. Needed are the counterparts of: $*"
    [[ $install == no ]] || die "$exit_environment" "install them, then run again with --no-install"
    return 0
  fi
  mapfile -t missing < <(missing_packages "$@")
  if ((${#missing[@]} == 0)); then
    say "All $# Debian packages that this needs are installed."
    return 0
  fi
  by_hand="apt-get update && apt-get install --no-install-recommends ${missing[*]}"
  [[ $install == yes ]] || die "$exit_environment" "missing Debian packages: ${missing[*]}
Let root run
  $by_hand"
  find_root || die "$exit_environment" "missing Debian packages, and no way to install them (not root; no sudo, or one that wants a password and no terminal to ask). Let root run
  $by_hand"
  mkdir -p build
  : >"$apt_log"
  say "Installing ${#missing[@]} Debian packages: ${missing[*]}"
  say "(with apt-get${as_root[0]:+ through ${as_root[0]}}; its output goes to $apt_log)"
  apt_get update || complain "apt-get update failed; trying with the package lists at hand"
  apt_get install -y --no-install-recommends "${missing[@]}" || {
    tail -n 20 "$apt_log" >&2
    die "$exit_environment" "apt-get could not install the packages; the lines above are the end of $apt_log"
  }
}

has_browser() { command -v chromium google-chrome google-chrome-stable chrome >/dev/null; }

# ---- build -------------------------------------------------------------------------------------

# One job per core, but no more than memory has room for.
default_jobs() {
  local cores available by_memory
  cores=$(nproc)
  available=$(awk '/^MemAvailable:/ {print $2}' /proc/meminfo 2>/dev/null || true)
  by_memory=$((${available:-$memory_per_job_kib} / memory_per_job_kib))
  ((by_memory >= 1)) || by_memory=1
  echo $((cores < by_memory ? cores : by_memory))
}

configure() { show_and_run cmake --preset "$preset"; }
build_all() { show_and_run cmake --build --preset "$preset" -j "$jobs"; }
build_tools() { show_and_run cmake --build --preset "$preset" -j "$jobs" --target tools; }

# ---- test --------------------------------------------------------------------------------------

# Fills build/venv from requirements.txt and exports NEMO_TEST_PYTHON, unless the caller has chosen
# a Python already. Its packages check our files from outside; without them those tests skip and
# all others still run.
prepare_python() {
  local stamp=$venv/.requirements.sha256 wanted log=build/venv.log
  if [[ -n ${NEMO_TEST_PYTHON:-} ]]; then
    say "Tests use the Python of NEMO_TEST_PYTHON=$NEMO_TEST_PYTHON"
    return 0
  fi
  wanted=$(sha256sum "$requirements" | cut -d ' ' -f 1)
  if [[ ! -x $venv/bin/python || $(cat "$stamp" 2>/dev/null) != "$wanted" ]]; then
    say "Installing the tests' Python packages into $venv (output goes to $log)"
    mkdir -p build
    if ! { rm -rf "$venv" && python3 -m venv "$venv" &&
      "$venv/bin/python" -m pip install --disable-pip-version-check --no-input --only-binary :all: \
        --retries 2 -r "$requirements"; } >"$log" 2>&1 </dev/null; then
      local reason
      reason=$(grep -m 1 '^ERROR' "$log" || tail -n 1 "$log")
      say "Tests that read our files with h5py, hdf5plugin or safetensors will skip: no packages from PyPI ($reason)"
      return 0
    fi
    echo "$wanted" >"$stamp"
  fi
  NEMO_TEST_PYTHON=$PWD/$venv/bin/python
  export NEMO_TEST_PYTHON
  say "Tests use the Python of NEMO_TEST_PYTHON=$NEMO_TEST_PYTHON"
}

run_tests() {
  if ((EUID == 0)); then
    say "Running as root: OMPI_ALLOW_RUN_AS_ROOT=1 and OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 let mpirun start."
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
  fi
  # One more than cores: there is always a test that waits, for a disk, a daemon, a timeout.
  show_and_run ctest --preset "$preset" --output-on-failure -j "$((jobs + 1))"
}

# ---- the commands ------------------------------------------------------------------------

demo() {
  local bin=build/$preset/bin source=tests/data/shakespeare.nemo shards=build/demo/shakespeare_tp2_pp2
  stage packages install_packages "${build_packages[@]}"
  jobs=${jobs:-$(default_jobs)}
  stage configure configure
  stage build build_tools
  mkdir -p build/demo
  say "" "The demo model, as NeMo saved it, becomes one file per rank of TP2 x PP2:"
  stage convert show_and_run "$bin/nemo-convert" "$source" "$shards" --tp 2 --pp 2 --force
  say "" "Every element of the shards is compared with the archive:"
  stage validate show_and_run "$bin/nemo-validate" "$shards" "$source"
  say "" "The shards write verse on 4 ranks:"
  stage generate show_and_run "$bin/nemo-generate" "$shards" --tp 2 --pp 2 \
    --prompt "Write a poem on NVIDIA in the style of Shakespeare" \
    --tokens-to-generate 120 --temperature 0.8 --top-k 40 --seed 1
  print_stages
}

build() {
  stage packages install_packages "${build_packages[@]}"
  jobs=${jobs:-$(default_jobs)}
  stage configure configure
  stage build build_all
  print_stages
}

# Not called `test`: that would hide the shell's own.
test_everything() {
  command -v srun >/dev/null || test_packages+=("${slurm_packages[@]}")
  ! grep -qx 'ID=debian' /etc/os-release 2>/dev/null || has_browser || test_packages+=("${page_packages[@]}")
  stage packages install_packages "${build_packages[@]}" "${test_packages[@]}"
  jobs=${jobs:-$(default_jobs)}
  stage "python packages" prepare_python
  stage configure configure
  stage build build_all
  stage tests run_tests
  print_stages
}

parse_arguments "$@"
case $command_name in
  demo) demo ;;
  build) build ;;
  packages) say "${build_packages[@]}" ;;
  test) test_everything ;;
esac
