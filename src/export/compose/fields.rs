//! What each field of a stack becomes under Compose: the ground of the report and of `docs/export.md`.

use crate::export::Field;
use crate::export::report::{approximated, dropped, kept};

pub const BLOCK: Field = kept(
    "pods.<pod>.containers.<container>.block",
    "",
    "`image: <registry>/motif-block:<version>`",
    "without `--registry` it has to be on the engine, and is never pulled; infra containers, proxies and what fills volumes use it too",
);
pub const RANGE: Field = approximated(
    "pods.<pod>.replicas.min, max, cpu, memory",
    "",
    "services for `min` replicas",
    "nothing adds or removes replicas",
);
pub const NONE: Field = dropped(
    "pods.<pod>.replicas",
    "0",
    "each replica is a service: of none there is nothing in the file",
);
pub const EGRESS: Field = dropped(
    "pods.<pod>.egress",
    "",
    "the services of a project reach each other and the world",
);
pub const INIT: Field = approximated(
    "pods.<pod>.containers.<container>.role",
    "`init`",
    "a service that the next one waits for, by `service_completed_successfully`",
    "Compose starts what has ended again at every `docker compose up`",
);
pub const SIDECAR: Field = approximated(
    "pods.<pod>.containers.<container>.role",
    "`sidecar`, with `ready`, and `startup` by `exec`",
    "a service that the main ones wait for, by `service_started`",
    "Compose has one health check, which says readiness; only a probe over the network can be asked from beside",
);
pub const ENV_SECRET: Field = approximated(
    "pods.<pod>.containers.<container>.env.<name>.secret, key",
    "",
    "a variable of the shell that runs Compose, which stops without it",
    "Compose reads no file into a variable",
);
pub const UNASKED: Field = approximated(
    "pods.<pod>.containers.<container>.ready",
    "by `exec`, of an `image` or `build` without `command`, behind a proxy",
    "`healthcheck`; the proxy doesn't ask it",
    "only motif's own first process can be asked from outside, and it has to know the program",
);
pub const STARTUP: Field = approximated(
    "pods.<pod>.containers.<container>.startup",
    "of an `image` or `build` without `command`",
    "`healthcheck` and its `start_period`",
    "Compose restarts nothing that doesn't start; motif's own first process does, and has to know the program",
);
pub const LIVE: Field = dropped(
    "pods.<pod>.containers.<container>.live",
    "of an `image` or `build` without `command`",
    "Compose restarts nothing that hangs; motif's own first process does, and has to know the program",
);
pub const DELAY: Field = approximated(
    "pods.<pod>.containers.<container>.startup, ready, live: delay",
    "of `startup` or `ready`, above 0",
    "`start_period`",
    "the first tries aren't put off: their failures don't count",
);
pub const SUCCESSES: Field = approximated(
    "pods.<pod>.containers.<container>.startup, ready, live: successes",
    "above 1",
    "`healthcheck`",
    "one good answer is enough; only the proxy in front of a pod counts them",
);
pub const IMAGE_USER: Field = approximated(
    "pods.<pod>.containers.<container>.user",
    "absent, with `security: restricted`, of an `image` or `build`",
    "the image's user",
    "Compose doesn't refuse one that is root",
);
pub const EMPTY: Field = approximated(
    "pods.<pod>.volumes.<volume>.empty, empty.size",
    "",
    "`volumes`, one for each replica",
    "it stays until `docker compose down --volumes`, and may grow beyond its size",
);
pub const HEADLESS_TARGET: Field = approximated(
    "services.<service>.ports.<port>.target",
    "another number than the port's, with `headless: true`",
    "`aliases`",
    "clients of a headless service dial the replica, thus the target's number",
);
pub const HEADLESS_AFFINITY: Field = dropped(
    "services.<service>.affinity",
    "`client`, with `headless: true`",
    "clients of a headless service choose a replica themselves",
);
pub const JOB: Field = approximated(
    "jobs.<job>",
    "without `schedule`",
    "a service for each run",
    "Compose starts what has ended again at every `docker compose up`",
);
pub const PARALLELISM: Field = approximated(
    "jobs.<job>.parallelism",
    "less than `completions`",
    "`depends_on`: each run waits for a certain one before it",
    "Compose starts no run because any other has ended",
);
pub const RETRIES: Field = approximated(
    "jobs.<job>.retries",
    "with `completions` above 1",
    "`restart: on-failure:<retries>`",
    "each run may fail so often, not all of them together",
);
pub const DEADLINE: Field = dropped("jobs.<job>.deadline", "", "Compose ends no run");
pub const TTL: Field = dropped(
    "jobs.<job>.ttl",
    "",
    "containers that have ended stay until `docker compose down`",
);
pub const SCHEDULE: Field = dropped(
    "jobs.<job>.schedule",
    "",
    "Compose knows no time: the job has a profile, so that `docker compose up` leaves it out",
);
pub const CONCURRENCY: Field = dropped(
    "jobs.<job>.concurrency",
    "`forbid` or `replace`",
    "who starts the job decides",
);
pub const NEVER: Field = approximated(
    "jobs.<job>.restart",
    "`never`, with `retries`",
    "`restart: on-failure:<retries>`",
    "a failed run begins again in the same container, with what it left there",
);
pub const JOB_CONTAINERS: Field = approximated(
    "jobs.<job>.shareProcesses, grace, after, egress, containers, volumes",
    "more than one container",
    "as of a pod",
    "the infra container and sidecars go on when the run has ended",
);
pub const SECRET_CERTIFICATE: Field = kept(
    "secrets.<secret>.certificate",
    "",
    "`secrets` with `file: .motif/secrets/<secret>/…`",
    "`motif up` makes the certificate on first use",
);

/// Every row, in the order of `docs/stack.md`.
#[cfg(test)]
pub const FIELDS: &[Field] = &[
    kept(
        "stack",
        "",
        "`name`",
        "`docker compose --project-name` chooses another",
    ),
    kept("include", "", "part of the same file", ""),
    kept(
        "parameters.<parameter>",
        "",
        "its value, wherever it is used",
        "`--set` chooses it at export",
    ),
    kept("parameters.<parameter>.type", "", "checked before the export", ""),
    kept(
        "parameters.<parameter>.default",
        "",
        "the value without `--set`",
        "",
    ),
    kept(
        "parameters.<parameter>.minimum, maximum, choices, pattern, help",
        "",
        "checked before the export",
        "",
    ),
    kept(
        "pods.<pod>",
        "",
        "a service for each container; of several, with an infra service that owns their network",
        "when the engine itself was restarted, `docker compose up` brings infra containers back",
    ),
    kept(
        "pods.<pod>.replicas",
        "",
        "services for each replica: `web-0`, `web-1`",
        "their number is that of the export: `docker compose up --scale` knows nothing of it",
    ),
    NONE,
    RANGE,
    kept(
        "pods.<pod>.stable",
        "`true`",
        "`volumes` for each replica",
        "each replica has its name, stable or not",
    ),
    kept("pods.<pod>.hostname", "", "`hostname`", ""),
    kept("pods.<pod>.shareProcesses", "", "`pid` of the infra service", ""),
    kept("pods.<pod>.restart", "", "`restart: unless-stopped`", ""),
    kept("pods.<pod>.grace", "", "`stop_grace_period`", ""),
    kept(
        "pods.<pod>.after",
        "",
        "`depends_on` of the replica's first service",
        "",
    ),
    EGRESS,
    kept("any duration", "", "as it is", ""),
    kept(
        "pods.<pod>.containers.<container>.image",
        "",
        "`image`",
        "without a probe its own health check stays: `docker compose up --wait` waits for it, nothing else does",
    ),
    kept(
        "pods.<pod>.containers.<container>.build",
        "",
        "`build`, with `image: <registry>/<stack>-<pod>-<container>:<tag>`",
        "the first replica builds, the others take its image",
    ),
    kept(
        "pods.<pod>.containers.<container>.build.context, dockerfile, args, target, secrets, platform",
        "",
        "the same of `build`; `platform`",
        "paths are relative to the folder of the file",
    ),
    BLOCK,
    kept(
        "pods.<pod>.containers.<container>.role",
        "`main`",
        "a service",
        "",
    ),
    INIT,
    kept(
        "pods.<pod>.containers.<container>.role",
        "`sidecar`",
        "a service that the main ones wait for, and outlives them",
        "its startup probe over the network is asked by a service of its own (`web-0-tls.started`) where `ready` has the health check",
    ),
    SIDECAR,
    kept(
        "pods.<pod>.containers.<container>.command",
        "",
        "`entrypoint`",
        "`$` is doubled: it stays text",
    ),
    kept(
        "pods.<pod>.containers.<container>.args",
        "",
        "`command`",
        "`$` is doubled: it stays text",
    ),
    kept(
        "pods.<pod>.containers.<container>.env.<name>",
        "text",
        "`environment`",
        "`$` is doubled: it stays text",
    ),
    ENV_SECRET,
    kept(
        "pods.<pod>.containers.<container>.ports.<port>",
        "",
        "nothing: every port is open to the network of the stack",
        "",
    ),
    kept(
        "pods.<pod>.containers.<container>.ports.<port>.port",
        "",
        "where services and probes name it",
        "",
    ),
    kept(
        "pods.<pod>.containers.<container>.ports.<port>.protocol",
        "",
        "`protocol` of a published port",
        "a proxy can't carry UDP: behind one it is refused, as by `motif up`",
    ),
    kept(
        "pods.<pod>.containers.<container>.ports.<port>.local",
        "`true`",
        "nothing",
        "the program itself binds loopback",
    ),
    kept(
        "pods.<pod>.containers.<container>.mounts.<volume>",
        "",
        "`volumes`, with `nocopy`",
        "files of the image aren't copied into it",
    ),
    kept(
        "pods.<pod>.containers.<container>.mounts.<volume>.path",
        "",
        "`target`",
        "",
    ),
    kept(
        "pods.<pod>.containers.<container>.mounts.<volume>.readOnly",
        "",
        "`read_only`",
        "",
    ),
    kept(
        "pods.<pod>.containers.<container>.resources.cpu",
        "",
        "`cpus`",
        "",
    ),
    kept(
        "pods.<pod>.containers.<container>.resources.memory",
        "",
        "`mem_limit` and `memswap_limit`",
        "",
    ),
    kept(
        "pods.<pod>.containers.<container>.startup",
        "",
        "motif's own first process in the container, which ends it; `start_period`",
        "",
    ),
    STARTUP,
    kept(
        "pods.<pod>.containers.<container>.ready",
        "",
        "`healthcheck`; where a proxy stands in front of the pod, it asks too",
        "",
    ),
    UNASKED,
    kept(
        "pods.<pod>.containers.<container>.live",
        "",
        "motif's own first process in the container, which ends it",
        "`restart` starts it again",
    ),
    LIVE,
    kept(
        "pods.<pod>.containers.<container>.startup, ready, live: http",
        "",
        "`motif block probe http`",
        "the program is on a read-only volume of the container",
    ),
    kept(
        "pods.<pod>.containers.<container>.startup, ready, live: port",
        "",
        "by number",
        "",
    ),
    kept(
        "pods.<pod>.containers.<container>.startup, ready, live: scheme",
        "",
        "`--scheme`",
        "",
    ),
    kept(
        "pods.<pod>.containers.<container>.startup, ready, live: headers",
        "",
        "`--header`",
        "",
    ),
    kept(
        "pods.<pod>.containers.<container>.startup, ready, live: tcp",
        "",
        "`motif block probe tcp`",
        "",
    ),
    kept(
        "pods.<pod>.containers.<container>.startup, ready, live: exec",
        "",
        "the command",
        "",
    ),
    kept(
        "pods.<pod>.containers.<container>.startup, ready, live: grpc",
        "",
        "`motif block probe grpc`",
        "",
    ),
    kept(
        "pods.<pod>.containers.<container>.startup, ready, live: service",
        "",
        "`--service`",
        "",
    ),
    kept(
        "pods.<pod>.containers.<container>.startup, ready, live: delay",
        "of `live`",
        "the same of motif's own first process",
        "",
    ),
    DELAY,
    kept(
        "pods.<pod>.containers.<container>.startup, ready, live: every",
        "",
        "`interval`",
        "",
    ),
    kept(
        "pods.<pod>.containers.<container>.startup, ready, live: timeout",
        "",
        "`--timeout`; `timeout` is 2 s longer",
        "the engine counts the time that it needs to start a check",
    ),
    kept(
        "pods.<pod>.containers.<container>.startup, ready, live: failures",
        "",
        "`retries`",
        "",
    ),
    SUCCESSES,
    kept(
        "pods.<pod>.containers.<container>.security",
        "`restricted`",
        "`cap_drop: [ALL]`, `no-new-privileges`",
        "",
    ),
    kept(
        "pods.<pod>.containers.<container>.security",
        "`baseline`",
        "`no-new-privileges`",
        "the engine decides the default capabilities",
    ),
    kept(
        "pods.<pod>.containers.<container>.user",
        "",
        "`user`",
        "65532 of a block",
    ),
    IMAGE_USER,
    kept(
        "pods.<pod>.containers.<container>.readOnly",
        "",
        "`read_only`, with a `tmpfs` at `/tmp`",
        "",
    ),
    kept(
        "pods.<pod>.containers.<container>.capabilities",
        "",
        "`cap_add`",
        "",
    ),
    kept(
        "pods.<pod>.containers.<container>.directory",
        "",
        "`working_dir`",
        "",
    ),
    kept(
        "pods.<pod>.containers.<container>.sync",
        "",
        "nothing",
        "it serves `up --watch` alone",
    ),
    EMPTY,
    kept(
        "pods.<pod>.volumes.<volume>.tmpfs, tmpfs.size",
        "",
        "a mount of the type `tmpfs`; of several containers, `volumes` in memory",
        "",
    ),
    kept(
        "pods.<pod>.volumes.<volume>.claim",
        "",
        "`volumes`",
        "its size is for a cluster",
    ),
    kept(
        "pods.<pod>.volumes.<volume>.claim",
        "with `stable: true`",
        "`volumes` for each replica",
        "",
    ),
    kept(
        "pods.<pod>.volumes.<volume>.config",
        "",
        "`configs` with `content`, laid into `volumes`",
        "a file that isn't UTF-8 is named by `file`; another content is another volume, and a replaced container",
    ),
    kept(
        "pods.<pod>.volumes.<volume>.secret",
        "",
        "`secrets` with `file`, laid into `volumes` for the containers' user",
        "",
    ),
    kept(
        "services.<service>",
        "",
        "`aliases`; with another number of replicas than 1, or moved ports, a proxy",
        "",
    ),
    kept("services.<service>.pod", "", "whose `aliases` they are", ""),
    kept(
        "services.<service>.ports.<port>",
        "",
        "the port of the pod or the proxy",
        "",
    ),
    kept("services.<service>.ports.<port>.port", "", "the same", ""),
    kept(
        "services.<service>.ports.<port>.target",
        "",
        "the proxy forwards to it",
        "",
    ),
    HEADLESS_TARGET,
    kept("services.<service>.publish", "", "`ports`", ""),
    kept(
        "services.<service>.affinity",
        "",
        "the proxy's `--balance client`",
        "",
    ),
    HEADLESS_AFFINITY,
    kept(
        "services.<service>.headless",
        "",
        "`aliases` that all replicas share",
        "",
    ),
    JOB,
    kept("jobs.<job>.completions", "", "so many services", ""),
    kept("jobs.<job>.parallelism", "", "nothing waits", ""),
    PARALLELISM,
    kept("jobs.<job>.retries", "", "`restart: on-failure:<retries>`", ""),
    RETRIES,
    DEADLINE,
    kept(
        "jobs.<job>.indexed",
        "",
        "`JOB_COMPLETION_INDEX` in `environment`",
        "",
    ),
    TTL,
    SCHEDULE,
    CONCURRENCY,
    kept("jobs.<job>.restart", "", "`restart: on-failure:<retries>`", ""),
    NEVER,
    kept("jobs.<job>.hostname", "", "as of a pod", ""),
    kept(
        "jobs.<job>.shareProcesses, grace, after, egress, containers, volumes",
        "",
        "as of a pod",
        "",
    ),
    JOB_CONTAINERS,
    kept(
        "secrets.<secret>.files",
        "",
        "`secrets` with `file`",
        "copied at every `docker compose up`, all keys at once",
    ),
    SECRET_CERTIFICATE,
    kept(
        "promises",
        "",
        "nothing",
        "it serves `verify` alone; the same blocks, proxies and probes stand behind it",
    ),
];
