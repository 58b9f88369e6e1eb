libpappus_a_SOURCES +=
