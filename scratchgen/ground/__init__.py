"""What every room stands on: errors, checks of arguments, parts, random streams, files, text."""
