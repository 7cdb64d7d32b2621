package listen

import (
	"context"
	"time"
)

// leftFor is how long a message of the portal may be on its way to its lifecycle: whoever
// stored it has given up or died then, and the patient sees it as sent.
const leftFor = time.Minute

// takeOver hands over the messages of portal and app that were left behind, as their API
// would have. What fails is tried again at the next look; a lifecycle that was told after
// all drops a message that it has.
func (l *Listener) takeOver(ctx context.Context) {
	left, err := l.store.PortalMessagesLeft(ctx, leftFor)
	if err != nil {
		l.logger.Warn("what the portal has left behind cannot be read yet", "error", err)
		return
	}
	for _, m := range left {
		if err = l.tell(ctx, m); err == nil {
			err = l.store.HandedOver(ctx, m.ID)
		}
		if err != nil {
			l.logger.Warn("a message of the portal could not be taken over", "message", m.ID, "error", err)
			continue
		}
		l.logger.Info("a message of the portal is taken over", "message", m.ID, "dialogue", m.DialogueID)
	}
}
