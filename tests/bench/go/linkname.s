// Empty: with a file of assembly in the package, the compiler lets tally.go declare a function without a body.
