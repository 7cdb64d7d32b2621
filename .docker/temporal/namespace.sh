#!/bin/sh
# Waits for the Temporal server, then makes the namespace and its search attributes.
# Repeating it is harmless. The names are those of internal/contract.
set -eu

attempt=0
until temporal operator cluster health; do
	attempt=$((attempt + 1))
	if [ "$attempt" -ge 60 ]; then
		echo "Temporal at $TEMPORAL_ADDRESS is not healthy after $attempt attempts" >&2
		exit 1
	fi
	sleep 2
done

# Histories are deleted this long after a workflow has closed; what must be kept is
# on the ledger.
if ! temporal operator namespace describe --namespace "$TEMPORAL_NAMESPACE" >/dev/null 2>&1; then
	temporal operator namespace create --namespace "$TEMPORAL_NAMESPACE" --retention 7d \
		--description "Helsebro: see the search attributes HelsebroClinic, HelsebroProcess and HelsebroState"
fi

# A new namespace is known to every part of the server after some seconds.
attempt=0
until known=$(temporal operator search-attribute list --namespace "$TEMPORAL_NAMESPACE"); do
	attempt=$((attempt + 1))
	if [ "$attempt" -ge 30 ]; then
		echo "namespace $TEMPORAL_NAMESPACE cannot be used after $attempt attempts" >&2
		exit 1
	fi
	sleep 2
done

for name in HelsebroClinic HelsebroProcess HelsebroState; do
	case $known in
	*"$name"*) ;;
	*) temporal operator search-attribute create --namespace "$TEMPORAL_NAMESPACE" --name "$name" --type Keyword ;;
	esac
done
