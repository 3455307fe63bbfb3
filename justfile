# `just check` before a commit; `just ci` is everything.

export CARGO_TERM_COLOR := "always"

# What must pass before a commit
check: fmt-check clippy test doc forbid

# All tests that need no network
test *args:
    cargo test --locked {{args}}

# Write the sources as rustfmt does
fmt:
    cargo fmt

fmt-check:
    cargo fmt --check

clippy:
    cargo clippy --locked --all-targets -- -D warnings

doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps

# Words, shortcuts and addresses that stay out
forbid:
    bin/forbid

# Write the schema of the file anew; a test fails while it is stale
schema:
    cargo run --quiet --locked -- schema > schema/config.schema.json.new
    mv schema/config.schema.json.new schema/config.schema.json

# Ratios against other relays; they take minutes
bench *args:
    cargo bench --locked {{args}}

# Licences, advisories, sources; needs cargo-deny and the network
deny:
    cargo deny check

ci:
    .ci/run
