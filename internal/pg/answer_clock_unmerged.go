package pg

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/helsebro/helsebro/internal/contract"
)

func (s *Store) answerClock(context.Context, pgx.Tx, string, string) (*contract.AnswerClock, error) {
	return nil, nil
}

func (s *Store) answerGiven(context.Context, pgx.Tx, string) error { return nil }
