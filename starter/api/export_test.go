package api

// Patterns are what the mux has been given.
func Patterns(a *API) []string { return a.mux.patterns }
