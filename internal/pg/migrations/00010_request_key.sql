-- +goose Up

-- Which system named a request with this key first.
CREATE TABLE request_key (
    clinic_id uuid NOT NULL, -- as in the path: a request to a clinic that is not here is answered later
    key       uuid NOT NULL,
    client_id text NOT NULL,
    at        timestamptz NOT NULL,
    PRIMARY KEY (clinic_id, key)
);

-- +goose Down
DROP TABLE request_key;
