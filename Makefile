# SPDX-License-Identifier: MIT
#
# For those who type make: everything is done by ninja in build/.
all:
	@test -e build/build.ninja || ./configure
	ninja -C build

check: all
	scripts/check

install: all
	ninja -C build install

clean:
	@test ! -e build/build.ninja || ninja -C build -t clean

.PHONY: all check install clean
