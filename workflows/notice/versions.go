package notice

// Change ids of workflow.GetVersion: one line each, saying what changed, since
// when, and when it may go. None has been needed yet.
