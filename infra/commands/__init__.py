"""The operator's commands, one file each: `main(argv) -> exit code`. What they do lives elsewhere; here it is asked."""
