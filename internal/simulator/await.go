package simulator

import "context"

// Await returns the clinic's first message in answer to the citizen's message of that
// MsgId, as soon as Helsenorge has it, or the error of ctx.
func (h *Helsenorge) Await(ctx context.Context, msgID string) (Received, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		if r := h.answers[msgID]; r != nil {
			return *r, nil
		}
		arrival, ok := h.awaited[msgID]
		if !ok {
			arrival = make(chan struct{})
			h.awaited[msgID] = arrival
		}
		h.mu.Unlock()
		select {
		case <-arrival:
			h.mu.Lock()
		case <-ctx.Done():
			h.mu.Lock()
			return Received{}, ctx.Err()
		}
	}
}

// answered keeps the first answer to a message and wakes who awaits it; the caller
// holds mu.
func (h *Helsenorge) answered(r *Received) {
	if r.Parent == "" || h.answers[r.Parent] != nil {
		return
	}
	h.answers[r.Parent] = r
	if arrival, ok := h.awaited[r.Parent]; ok {
		close(arrival)
		delete(h.awaited, r.Parent)
	}
}
