# shellcheck shell=bash
# Waits for features in Redis and prints a few.
# Uses say.sh; expects CHECK, a function that fails when no features can arrive any more.

FEATURES_WAIT_SECONDS=${WINDROW_FEATURES_WAIT:-90}
USERS=()
USER_SHOWN=''

# find_users REDIS_CLI…: stores in USERS up to three users that have a row in Redis.
find_users() {
    local keys
    # head closes the pipe early: that is no failure.
    keys=$("$@" --scan --pattern 'user_features:*' 2>/dev/null | head -n 3 || true)
    mapfile -t USERS < <(sed -n 's/^user_features://p' <<<"$keys")
    ((${#USERS[@]} > 0))
}

# wait_for_features REDIS_CLI…: waits for the first row in Redis, at most FEATURES_WAIT_SECONDS.
wait_for_features() {
    local began=$SECONDS code=0
    ticker_start 'waiting for the first windows to close and their features to reach Redis'
    until find_users "$@"; do
        "$CHECK" || { code=1; break; }
        ((SECONDS - began < FEATURES_WAIT_SECONDS)) || { code=2; break; }
        sleep 0.5
    done
    ticker_stop
    ((code != 2)) || say_error "no features in Redis after $FEATURES_WAIT_SECONDS s"
    ((code == 0)) || return "$code"
    say_done "features of $("$@" --scan --pattern 'user_features:*' | wc -l) users are in Redis"
}

# show_features COMMAND…: runs COMMAND USER for each of the users found.
show_features() {
    local user
    ((${#USERS[@]} > 0)) || return 0
    echo
    for user in "${USERS[@]}"; do
        "$@" "$user"
        USER_SHOWN=$user
    done
}
