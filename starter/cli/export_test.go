package cli

// Command is the whole tree of commands.
var Command = command
