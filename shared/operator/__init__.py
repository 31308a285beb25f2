"""What an operator may do, from the console and from the command line alike."""
