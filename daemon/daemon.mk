# SPDX-License-Identifier: ISC
# pappus-crld: publishes what is revoked.
