/// The version of the programs, as `--version` prints it and the manifest keeps it.
public let programVersion = "0.1.0"
