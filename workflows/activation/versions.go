package activation

// Change ids of workflow.GetVersion: one line each, saying what changed, since
// when, and when it may go. An integration lives for years, so no command of a
// running workflow changes without one. None has been needed yet.
