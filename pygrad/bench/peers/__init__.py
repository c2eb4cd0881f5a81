"""Other libraries' programs for our workloads, each written as its documentation says. Each module has
PROGRAMS: from a workload's name to a function that runs one round and returns its `Result`."""
