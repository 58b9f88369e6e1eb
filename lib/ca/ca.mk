libpappus_ca_a_SOURCES +=
