# The tasks of a developer. `just` lists them; CONTRIBUTING.md says where `just` comes from.

# Lists the tasks
default:
    @just --list --unsorted

# Runs every check and test; --fast leaves the servers and the browser out
test *options:
    ./test.sh {{ options }}

# Runs the Rust tests whose names contain one of the words
unit *words:
    cargo test --workspace -- {{ words }}

# Checks the image and ./start.sh with Docker; --real-images takes the engine that runs here
docker *options:
    dev/docker-test.sh {{ options }}

# Checks format, Rust, scripts, spelling, workflows, Dockerfile, licences
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --locked -- -D warnings
    dev/lint.sh

# Formats Rust, Python, JavaScript and this file, and corrects spelling
fmt:
    cargo fmt --all
    dev/lint.sh --fix ruff ruff-format just typos
    tests/browser/node_modules/.bin/biome check --write

# Checks the docs of the Rust code, the site and all links
docs:
    RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --locked
    dev/docs.sh check

# Serves the site of docs/ on port 8000
site:
    dev/docs.sh serve

# Accepts what the snapshot tests print now; read the diff
snapshots *words:
    INSTA_UPDATE=always cargo test --workspace -- {{ words }}

# Measures a replay: events per CPU-second, memory
bench *options:
    bench/replay.sh {{ options }}

# Compares the instructions per event with those of another commit
instructions base="main":
    bench/compare_instructions.sh {{ base }}

# Feeds one fuzz target for some seconds; needs a nightly compiler and cargo-fuzz
fuzz target="event_decoder" seconds="60":
    mkdir -p fuzz/corpus/{{ target }} fuzz/seeds/{{ target }}
    cargo +nightly fuzz run {{ target }} fuzz/corpus/{{ target }} fuzz/seeds/{{ target }} -- -max_total_time={{ seconds }}

# Fetches the packages for the JavaScript checks and the browser tests
packages:
    npm ci --prefix tests/browser --ignore-scripts --no-audit --no-fund

# Tests the pages in Chromium, on generated answers, and the descriptions of their JSON
browser:
    npm run test:schemas --prefix tests/browser
    npm test --prefix tests/browser

# Draws the screenshots of the READMEs again
pictures:
    npm run pictures --prefix tests/browser

# Serves the job's pages from the disk on port 8099, with generated answers
pages answers="busy":
    node tests/browser/mock.mjs 8099 {{ answers }}

# Installs windrow with pip and with cargo into empty environments, and runs it
install-test:
    dev/check-packages.sh

# Starts Kafka, Redis and the job, with sample traffic
start *options:
    ./start.sh {{ options }}

# Stops what `just start` started
stop:
    ./stop.sh
