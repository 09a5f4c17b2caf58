# SPDX-License-Identifier: MIT
"""What ./check is made of: the environment of the scripts, the catalogue of
scripts and groups, and running them."""
