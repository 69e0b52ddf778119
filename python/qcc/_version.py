"""The version of the compiler that this package goes with."""
VERSION = "0.1.0"
