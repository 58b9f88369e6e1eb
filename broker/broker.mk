# SPDX-License-Identifier: ISC
# What runs on the broker's host: pappus-brokerd and the mosquitto plugin.
