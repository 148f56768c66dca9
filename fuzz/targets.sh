# The targets, for fuzz/run and fuzz/coverage: which there are, what each needs and what it is about.

TARGETS=(wbxml_read wbxml_round_trip request_decode request_round_trip typed_round_trip http_query imap_client mime
  proxy_header dns_answer kql certificate invitation sync_plan wait two_devices)

# The protocol crates are built without the gateway, which takes minutes, and with AddressSanitizer. The gateway is built
# without: it has no unsafe code of its own, and what of SQLite would be watched is not instrumented.
group_of() {
  case $1 in
    mime | proxy_header | dns_answer | kql | certificate | invitation | sync_plan | wait | two_devices) echo gateway ;;
    wbxml_* | request_* | typed_round_trip | http_query | imap_client) echo protocol ;;
    *) echo "there is no target $1" >&2; return 1 ;;
  esac
}

features_of() { [ "$1" = gateway ] || echo --no-default-features; }

sanitizer_of() { if [ "$1" = gateway ]; then echo none; else echo address; fi; }

# The folders of its seeds. The mails of the tests are the named ones of `mime`; the two request targets take the same inputs.
seeds_of() {
  case $1 in
    mime) printf '%s\n' tests/data/mail fuzz/seeds/mime ;;
    request_decode) printf '%s\n' fuzz/seeds/request_decode fuzz/seeds/request_round_trip ;;
    *) echo "fuzz/seeds/$1" ;;
  esac
}

dictionary_of() {
  case $1 in
    wbxml_* | request_* | http_query) echo fuzz/wbxml.dict ;;
    mime) echo fuzz/mime.dict ;;
    proxy_header | kql | invitation) echo "fuzz/$1.dict" ;;
  esac
}

# The longest input: a story is told by few octets, and each costs time.
length_of() { case $1 in two_devices) echo 1024 ;; *) echo 8192 ;; esac; }

# What a target is about.
sources_of() {
  local wbxml=protocol/wbxml/src activesync=protocol/activesync/src
  case $1 in
    wbxml_read) printf '%s\n' $wbxml/reader.rs $wbxml/header.rs $wbxml/mb_u32.rs ;;
    wbxml_round_trip) printf '%s\n' $wbxml/reader.rs $wbxml/header.rs $wbxml/mb_u32.rs $wbxml/writer.rs $wbxml/xml ;;
    request_* | typed_round_trip) printf '%s\n' $activesync/command $activesync/item $activesync/element.rs ;;
    http_query) printf '%s\n' $activesync/http.rs $activesync/http ;;
    imap_client) echo protocol/imap/src ;;
    mime) echo src/message ;;
    proxy_header) printf '%s\n' src/eas/parking/proxy.rs src/eas/parking/forwarded.rs ;;
    dns_answer) echo src/cli/doctor/dns.rs ;;
    kql) echo src/eas/look/kql.rs ;;
    certificate) printf '%s\n' src/eas/trust.rs src/eas/trust/facts.rs ;;
    invitation) printf 'src/eas/convert/%s.rs\n' invitation calendar meeting time_zone ;;
    sync_plan) printf '%s\n' src/sync/plan.rs src/sync/window.rs ;;
    wait) echo src/push ;;
    two_devices) printf '%s\n' src/recall src/ledger src/sync src/eas src/mailbox ;;
  esac
}
