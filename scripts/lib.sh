# SPDX-License-Identifier: MIT
# shellcheck shell=sh
#
# Shared by quickstart and check: find or install what is needed, build.

top=$(cd "$(dirname "$0")/.." && pwd)
build=${BUILD_DIR:-$top/build}

# Packages of Debian 12: program, header or pkg-config module, then package.
# shellcheck disable=SC2034  # used by those who source this file
needs_build="cc:gcc meson:meson ninja:ninja-build pkg-config:pkg-config
python3:python3 glib-2.0:libglib2.0-dev liburing:liburing-dev
libaio.h:libaio-dev zlib:zlib1g-dev libzstd:libzstd-dev
libgcrypt:libgcrypt20-dev"
# shellcheck disable=SC2034
needs_check="qemu-img:qemu-utils qemu-storage-daemon:qemu-system-common
mke2fs:e2fsprogs shellcheck:shellcheck clang:clang-14 rst2html:python3-docutils
git:git"

say() {
    echo "== $*"
}

# Is the left side of NAME:PACKAGE there?
have() {
    case $1 in
    *.h) [ -e "/usr/include/$1" ] ;;
    glib-2.0|liburing|zlib|libzstd|libgcrypt)
        command -v pkg-config >/dev/null && pkg-config --exists "$1" ;;
    clang) command -v clang >/dev/null || command -v clang-14 >/dev/null ;;
    *) command -v "$1" >/dev/null ;;
    esac
}

# install_missing "NAME:PACKAGE ...": by the package manager, or say what is
# missing and fail.
install_missing() {
    missing=
    for need in $1; do
        have "${need%%:*}" || missing="$missing ${need##*:}"
    done
    [ -n "$missing" ] || return 0
    sudo=
    if [ "$(id -u)" -ne 0 ]; then
        if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
            sudo=sudo
        else
            echo "Please install, as root:  apt-get install$missing" >&2
            return 1
        fi
    fi
    if ! command -v apt-get >/dev/null; then
        echo "Please install the equivalents of these Debian packages:$missing" >&2
        return 1
    fi
    say "installing$missing"
    # shellcheck disable=SC2086
    if ! { $sudo apt-get update -q &&
           DEBIAN_FRONTEND=noninteractive $sudo apt-get install -q -y \
               --no-install-recommends $missing; } >"$top/install.log" 2>&1
    then
        tail -n 20 "$top/install.log" >&2
        echo "Could not install:$missing" >&2
        return 1
    fi
    rm -f "$top/install.log"
}

# configure (with the arguments) and build in $build, quietly unless it fails.
build_all() {
    log=$build.log
    say "building in $build"
    if ! { { [ -e "$build/build.ninja" ] ||
             "$top/configure" --build-dir="$build" "$@"; } &&
           ninja -C "$build"; } >"$log" 2>&1; then
        tail -n 40 "$log" >&2
        echo "The build failed; all of its output is in $log" >&2
        return 1
    fi
    rm -f "$log"
}
