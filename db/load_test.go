package db_test

import (
	"testing"
	"time"

	"ganeticache/db"
)

func TestClusterStatus_Load(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	minute, quarter, soon := at.Add(time.Minute), at.Add(15*time.Minute), at.Add(time.Millisecond)
	status := db.ClusterStatus{Freshness: []db.Freshness{
		{Kind: db.KindVM, RefreshedAt: &at, NextDueAt: &minute, DurationMS: 500, Bytes: 1000},
		{Kind: db.KindGroup, RefreshedAt: &at, NextDueAt: &quarter, DurationMS: 1000, Bytes: 10},
		{Kind: db.KindNode, RefreshedAt: &at, NextDueAt: &minute, DurationMS: 5000, Bytes: 5000, ConsecutiveFailures: 1},
		{Kind: db.KindNetwork},
	}}
	if got, want := status.Load(), (db.Load{SecondsPerHour: 60*0.5 + 4*1, BytesPerHour: 60*1000 + 4*10}); got != want {
		t.Errorf("load %+v, want %+v", got, want)
	}
	status.Freshness = []db.Freshness{{Kind: db.KindVM, RefreshedAt: &at, NextDueAt: &soon, DurationMS: 5000}}
	if got := status.Load().SecondsPerHour; got != 3600 {
		t.Errorf("%g seconds an hour for an answer just before the next is due, want no more than an hour has", got)
	}
}
