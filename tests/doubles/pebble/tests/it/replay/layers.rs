//! The layers that the recordings were made with, as far as their answers let them be known.

/// For the recordings whose group names it.
pub const SERVICES: &str = r#"
services:
  good: {override: replace, command: sleep 1001, startup: enabled}
  good2: {override: replace, command: sleep 1001}
  dep: {override: replace, command: sleep 1001, requires: [good2], after: [good2]}
  depfail: {override: replace, command: sleep 1001, requires: [quick], after: [quick]}
  quick: {override: replace, command: '/bin/sh -c "echo some output; echo err-output >&2; exit 3"'}
  quickignore: {override: replace, command: '/bin/sh -c "echo one; exit 4"', on-failure: ignore}
  quickok: {override: replace, command: /bin/true, on-success: ignore}
  missing: {override: replace, command: /no/such/binary}
  missing2: {override: replace, command: nosuchbinary}
  baduser: {override: replace, command: sleep 1001, user: nosuchuser}
  late: {override: replace, command: '/bin/sh -c "sleep 2; exit 1"'}
  stubborn: {override: replace, command: '/bin/sh -c "trap : TERM; while :; do sleep 0.1; done"', kill-delay: 1s}
"#;

/// For the recordings whose group names it.
pub const CONTEXT: &str = r"
services:
  ctx:
    override: replace
    command: sleep 1001
    user: daemon
    working-dir: /var
    environment: {CTXVAR: ctxval, SHARED: fromctx}
";

/// For the recordings whose group names it.
pub const RESTARTED: &str = r#"
services:
  a: {override: replace, command: sleep 1001}
  stub: {override: replace, command: '/bin/sh -c "trap : TERM; while :; do sleep 0.1; done"', kill-delay: 1s}
"#;

/// For the recordings whose group names it.
pub const FAILING: &str = r#"
services:
  other: {override: replace, startup: enabled, command: '/bin/sh -c "echo boom; exit 1"'}
"#;

/// For the recordings whose group names it.
pub const CRASHING: &str = r#"
services:
  crash:
    override: replace
    command: /bin/sh -c "date +%s.%N; sleep 0.2; exit 1"
    backoff-delay: 200ms
    backoff-limit: 1s
  crash2: {override: replace, command: /bin/true}
"#;

/// For the recordings whose group names it.
pub const LOGGING: &str = r#"
services:
  a:
    override: replace
    command: >-
      /bin/sh -c "for i in 1 2 3 4 5; do echo line $i; done; echo err >&2; printf 'no newline'; sleep 0.2; echo;
      echo 'html <a> & b'; exec sleep 1001"
  b: {override: replace, command: '/bin/sh -c "while :; do echo tick; sleep 5; done"'}
  trap:
    override: replace
    command: >-
      /bin/sh -c "trap 'echo got hup' HUP; trap 'echo got usr1' USR1; while :; do sleep 0.05; done"
"#;

/// For the recordings whose group names it.
pub const TICKING: &str = r#"
services:
  a:
    override: replace
    command: /bin/sh -c "echo hello-a; while :; do sleep 0.5; echo tick-a; done"
    environment: {OWNER: alice}
  b: {override: replace, command: '/bin/sh -c "echo hello-b; exec sleep 3600"'}
"#;

/// For the recordings whose group names it.
pub const ODDS: &str = r#"
services:
  p1: {override: replace, command: sleep 1001}
  s2: {override: replace, command: sleep 1001, requires: [p1], after: [p1]}
  novar: {override: replace, command: 'echo literal $HOME "quoted arg" ; true', on-success: ignore}
  cwd:
    override: replace
    environment: {HOME: /root, USER: root}
    command: >-
      /bin/sh -c "pwd; echo HOME=$HOME USER=$USER; readlink /proc/self/fd/0;
      read pid name state parent group session rest < /proc/$$/stat; echo $pid $group $session; exec sleep 1001"
  cwduser:
    override: replace
    user: daemon
    command: '/bin/sh -c "sleep 0.05; pwd; echo HOME=$HOME USER=$USER; exec sleep 1001"'
  long:
    override: replace
    command: >-
      /bin/sh -c "head -c 10000 /dev/zero | tr '\\0' x; echo; printf '\\377\\376bad\\n'; exec sleep 1001"
  orphan: {override: replace, command: '/bin/sh -c "sleep 1001 & exit 0"', kill-delay: 2s}
  badwd: {override: replace, command: sleep 1001, working-dir: /no/such}
  args: {override: replace, command: 'sleep [ 1001 ]'}
  slowfail: {override: replace, command: '/bin/sh -c "sleep 0.6; exit 1"'}
"#;

/// For the recordings whose group names it.
pub const STOPPING: &str = r#"
services:
  a: {override: replace, command: sleep 1001}
  dependant: {override: replace, command: sleep 1001, requires: [a], after: [a]}
  slowstop: {override: replace, command: '/bin/sh -c "trap : TERM; while :; do sleep 0.1; done"', kill-delay: 2s}
"#;
