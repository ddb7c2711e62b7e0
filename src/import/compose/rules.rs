//! What becomes of each field of a Compose file.

use crate::import::rule::{Rule, approximated, dropped, kept, kept_when};

const FLATTEN: &str = "let Compose put it together: `docker compose config | motif import -`";
const NOTHING: &str = "a stack has nothing for it";
const LEAVE: &str = "leave it out, or keep the file beside the stack";

pub const SECOND: Rule = dropped(
    "file",
    "a second document or file",
    "one Compose file becomes one stack",
    FLATTEN,
);
pub const NO_SOURCE: Rule = dropped(
    "service.image, build",
    "neither",
    "a container runs an image or a build",
    "add `image` or `build`",
);
pub const PROFILES: Rule = dropped(
    "service.profiles",
    "",
    "a service with profiles doesn't start by itself, and pods do",
    "remove `profiles`, and import again",
);
pub const EXTENDS: Rule = dropped("service.extends", "", "one file is read as it is", FLATTEN);
pub const ENV_FILE: Rule = dropped(
    "service.env_file",
    "",
    "what stands in it may be secret, and a stack's texts aren't",
    "write its variables under `env:`, those that are secret as `{ secret, key }`",
);
pub const VARIABLE: Rule = approximated(
    "any text",
    "with a variable of the shell, in `environment`, `image`, `command` or `entrypoint`",
    "a parameter of this name; without a default it is empty, and with `:?` or `?` it has to be given",
    "a stack has parameters",
    "give it by `--set NAME=value`, or set its default",
);
pub const VARIABLE_VALUE: Rule = approximated(
    "any text",
    "with a variable of the shell, anywhere else",
    "the variable's default",
    "only the texts of containers take parameters",
    FLATTEN,
);
pub const VARIABLE_WHERE: Rule = approximated(
    "any text",
    "with `${NAME:+text}` or `${NAME+text}`",
    "nothing in its place, as without the variable",
    "a stack doesn't ask whether a parameter is given",
    "write what is to be there",
);
pub const PASSED: Rule = approximated(
    "service.environment",
    "without a value",
    "a parameter of this name, empty by default",
    "variables of the shell aren't passed on",
    "give it by `--set NAME=value`, or set its default",
);
pub const HOST_FOLDER: Rule = dropped(
    "service.volumes",
    "a folder or file of the host that a `config` can't be",
    "a stack mounts files of its own folder, read only and at most 1 MiB",
    "put it into the image (`build`, with `sync` while you write it), or into a `claim`",
);
pub const HOST_FILES: Rule = approximated(
    "service.volumes",
    "files beside the Compose file",
    "`config`: read only",
    "files of the host are configs, which are read only",
    "put what is written into a `claim`",
);
pub const SYNC: Rule = approximated(
    "service.volumes",
    "a folder of the service's own build",
    "`sync`: copied by `motif up --watch`",
    "what is built isn't mounted over",
    "run `motif up --watch` while you write",
);
pub const FOLDER: Rule = approximated(
    "service.volumes, configs, secrets",
    "one file at a path",
    "a folder with this file, where the file was to be",
    "a volume is a folder, which hides what the image has in its place",
    "let the program read the file from a folder of its own",
);
pub const CLAIM: Rule = approximated(
    "service.volumes",
    "a named volume",
    "a `claim` of 1Gi",
    "a claim has a size",
    "change the size",
);
pub const SHARED: Rule = approximated(
    "service.volumes",
    "a named volume of several services",
    "a claim for each pod",
    "a claim belongs to one pod",
    "put the containers that share files into one pod, by `network_mode: service:NAME`",
);
pub const NO_FILE: Rule = dropped(
    "configs.external, environment, secrets.external, environment",
    "",
    "a stack's files stand beside it, or in it",
    "write the file, and name it by `file`",
);
pub const UNDECLARED: Rule = dropped(
    "service.configs, secrets",
    "not declared by the file",
    "the file doesn't declare it",
    "correct the name",
);
pub const USUAL_PORT: Rule = approximated(
    "service",
    "that others dial, without `ports` and `expose`",
    "a service with the port that others dial it on, or that its image usually has",
    "a service has ports",
    "see whether it is the right one; `expose` says it",
);
pub const NO_PORT: Rule = dropped(
    "service",
    "that others name, of which no port is known",
    "a service has ports, and nothing says which",
    "add `expose`, and import again",
);
pub const STARTED: Rule = approximated(
    "service.depends_on",
    "`service_started` of a service with a health check",
    "`after: ready`",
    "pods wait for others to be ready",
    "leave it out if it needn't wait",
);
pub const MISSING: Rule = dropped(
    "service.depends_on, network_mode, pid",
    "of a service that isn't in the stack",
    "no such service is in the stack",
    "correct the name",
);
pub const RESTARTS: Rule = approximated(
    "service.restart, deploy.restart_policy",
    "`no` or `on-failure`",
    "always, as every pod",
    "a pod's containers are always started again",
    "what ends by itself belongs under `jobs:`",
);
pub const GLOBAL: Rule = approximated(
    "deploy.mode",
    "`global`",
    "one replica",
    "on Docker there is one node",
    "set `replicas`",
);
pub const USER_NAME: Rule = dropped(
    "service.user",
    "a name",
    "the names of an image's users aren't known",
    "write its number: `user: 1000:1000`",
);
pub const DROP: Rule = approximated(
    "service.cap_drop",
    "of a container that may be root",
    "the engine's default capabilities stay",
    "only a `restricted` container, which isn't root, drops all",
    "set a numeric `user`, `cap_drop: [ALL]` and `security_opt: [no-new-privileges:true]`",
);
pub const PRIVILEGED: Rule = dropped(
    "service.privileged",
    "",
    "containers of a stack are never privileged",
    "add the capabilities that it needs by `cap_add`",
);
pub const SECURITY: Rule = dropped(
    "service.security_opt",
    "other than `no-new-privileges`",
    NOTHING,
    LEAVE,
);
pub const SYSCTL: Rule = dropped(
    "service.sysctls",
    "other than `net.ipv4.ip_unprivileged_port_start`",
    "a stack sets no kernel parameters",
    LEAVE,
);
pub const REQUESTS: Rule = dropped(
    "deploy.resources.reservations",
    "without a limit, or less than it",
    "a stack's limits are its requests too",
    "set the limit to what the container may take at most",
);
pub const HOSTNAME: Rule = dropped(
    "service.hostname",
    "not a DNS label",
    "a host name is a DNS label",
    "change it",
);
pub const NETWORKS: Rule = approximated(
    "file.networks",
    "more than one",
    "one network",
    "a stack has one network",
    "keep services apart by stacks",
);
pub const NETWORK_MODE: Rule = dropped(
    "service.network_mode",
    "other than `service:NAME`",
    "pods of a stack have a network of their own",
    "leave it out; publish the ports that the host is to have",
);
pub const PID: Rule = dropped(
    "service.pid",
    "other than `service:NAME` of the same pod",
    "containers see the processes of their own pod at most",
    LEAVE,
);
pub const ALIAS: Rule = dropped(
    "service.networks.aliases",
    "not a DNS label",
    "names of services are DNS labels",
    "dial the service by another name",
);
pub const PORT: Rule = dropped(
    "service.ports, expose",
    "not readable",
    "a port is `[address:][host:]container[/protocol]`",
    "correct it, and import again",
);
pub const PORT_RANGE: Rule = approximated(
    "service.ports",
    "one of a range of the host",
    "the first of the range",
    "a stack publishes a port at one place",
    "set `publish` to 0, and the engine chooses a free one",
);
pub const ROOT: Rule = dropped(
    "service.volumes, configs, secrets",
    "one file in the root folder",
    "a volume is a folder, and none can be in the place of the root",
    "let the program read the file from a folder of its own",
);
pub const CYCLE: Rule = dropped(
    "service.network_mode",
    "of services that join each other",
    "none of them has a network",
    "let one of them have its own",
);
pub const TEST_KIND: Rule = dropped(
    "healthcheck.test",
    "empty or not readable",
    "a probe tries something",
    "write `test: [CMD, program, argument]`",
);
pub const OWN_TWICE: Rule = dropped(
    "service",
    "with the `x-motif` of another one",
    "a container of a replica is one service",
    "give it another `x-motif`, or none",
);
pub const OWN_REPLICA: Rule = approximated(
    "service",
    "of a further replica, that isn't as in the first one",
    "as in the first replica",
    "replicas of a pod are alike",
    "change the first replica alike",
);
pub const OWN_SECRET: Rule = approximated(
    "service.environment",
    "a key of a secret by `x-motif`, with a value",
    "the key of the secret",
    "values are never written into a stack",
    "take it out of the `x-motif` of the file, if it is no secret",
);
pub const OWN_PORT: Rule = dropped(
    "service.ports",
    "without `x-motif`, of a service that has one",
    "a stack publishes ports of its services",
    "name the service and its port: `x-motif: web/http`",
);
pub const SECRET_VALUES: Rule = kept_when(
    "secrets.file",
    "",
    "`secrets`, with the same file",
    "values are never written into a stack",
);

/// The rows of Compose files.
pub const RULES: &[Rule] = &[
    kept("file.services", "a pod each, and a service where ports are known"),
    kept("file.name", "the stack's name"),
    kept(
        "file.volumes, networks, configs, secrets",
        "what the services use of them",
    ),
    kept("file.version", "nothing"),
    SECOND,
    NETWORKS,
    dropped("file.include, models", "", "one file is read as it is", FLATTEN),
    VARIABLE,
    VARIABLE_VALUE,
    VARIABLE_WHERE,
    kept(
        "service.image",
        "`image`; motif's own block image with its first argument: `block`",
    ),
    kept("service.build", "`build`"),
    NO_SOURCE,
    USUAL_PORT,
    NO_PORT,
    kept_when(
        "service, mount, port",
        "with `x-motif`, as `motif export compose` writes it",
        "the container, volume or port of the stack that it was",
        "what Compose's fields hold is read from them; the rest from the `x-motif` of the file",
    ),
    OWN_TWICE,
    OWN_REPLICA,
    OWN_SECRET,
    OWN_PORT,
    kept("service.entrypoint", "`command`"),
    kept("service.command", "`args`"),
    kept("service.environment", "`env`"),
    PASSED,
    ENV_FILE,
    kept(
        "service.ports",
        "`ports` of the container and its service, and `publish`",
    ),
    kept("service.expose", "`ports` of the container and its service"),
    PORT,
    PORT_RANGE,
    kept_when(
        "service.volumes",
        "without a name, or `type: tmpfs`",
        "`empty`, `tmpfs`",
        "",
    ),
    CLAIM,
    SHARED,
    HOST_FILES,
    SYNC,
    FOLDER,
    ROOT,
    HOST_FOLDER,
    kept("service.tmpfs", "`tmpfs`"),
    kept("service.configs", "`config`"),
    kept("service.secrets", "`secret`, mounted where Compose does"),
    UNDECLARED,
    NO_FILE,
    kept_when(
        "service.healthcheck",
        "",
        "`ready`",
        "`curl` and `wget` of this host are asked for by HTTP; a failed check restarts nothing in either",
    ),
    kept("service.depends_on", "`after`"),
    STARTED,
    MISSING,
    kept("service.deploy", "`replicas`, `resources`"),
    kept("service.scale", "`replicas`"),
    kept_when(
        "service.restart",
        "`always`, `unless-stopped`",
        "nothing: pods are always started again",
        "",
    ),
    RESTARTS,
    kept("service.user", "`user`"),
    USER_NAME,
    kept("service.read_only", "`readOnly`"),
    kept("service.cap_add", "`capabilities`"),
    kept_when(
        "service.cap_drop",
        "`ALL`, with a user other than root and `no-new-privileges`",
        "`security: restricted`",
        "",
    ),
    DROP,
    kept_when(
        "service.security_opt",
        "`no-new-privileges:true`",
        "nothing: no container can gain privileges",
        "",
    ),
    SECURITY,
    PRIVILEGED,
    kept("service.working_dir", "`directory`"),
    kept("service.hostname", "`hostname`"),
    HOSTNAME,
    kept("service.stop_grace_period", "`grace`"),
    kept("service.cpus, mem_limit", "`resources`"),
    kept("service.networks", "its aliases are services of the same pod"),
    ALIAS,
    kept_when(
        "service.network_mode",
        "`service:NAME`",
        "a container of that pod",
        "",
    ),
    NETWORK_MODE,
    CYCLE,
    kept_when(
        "service.pid",
        "`service:NAME` of the same pod",
        "`shareProcesses`",
        "",
    ),
    PID,
    kept("service.sysctls", "nothing"),
    SYSCTL,
    PROFILES,
    EXTENDS,
    kept(
        "service.container_name, init, labels, annotations, attach, links, pull_policy, logging",
        "nothing",
    ),
    dropped(
        "service.devices, device_cgroup_rules, gpus, cgroup, cgroup_parent, credential_spec, develop, dns, dns_opt, dns_search, domainname, external_links, extra_hosts, group_add, ipc, isolation, label_file, mac_address, mem_reservation, mem_swappiness, memswap_limit, oom_kill_disable, oom_score_adj, pids_limit, platform, post_start, pre_stop, provider, runtime, shm_size, stdin_open, stop_signal, storage_opt, tty, ulimits, userns_mode, uts, volumes_from, blkio_config, cpu_count, cpu_percent, cpu_shares, cpu_period, cpu_quota, cpu_rt_period, cpu_rt_runtime, cpuset",
        "",
        NOTHING,
        LEAVE,
    ),
    kept(
        "build.context, dockerfile, args, target, secrets, platforms",
        "`build`",
    ),
    dropped(
        "build.dockerfile_inline, additional_contexts, cache_from, cache_to, entitlements, extra_hosts, isolation, labels, network, no_cache, privileged, provenance, pull, sbom, shm_size, ssh, tags, ulimits",
        "",
        "a build has a folder with a Dockerfile, arguments, secrets, a stage and a platform",
        "write it into the Dockerfile, or build the image first",
    ),
    kept("deploy.replicas", "`replicas`"),
    kept("deploy.mode", "one pod, or a job: `replicated-job`"),
    GLOBAL,
    kept("deploy.resources, restart_policy, labels", "`resources`"),
    dropped(
        "deploy.placement, update_config, rollback_config, endpoint_mode",
        "",
        "on one host there is nothing to choose",
        LEAVE,
    ),
    kept("deployResources.limits, reservations", "`resources`"),
    REQUESTS,
    kept("limits.cpus, memory", "`resources`"),
    dropped(
        "limits.pids, devices, generic_resources",
        "",
        "a stack has processor time and memory only",
        LEAVE,
    ),
    kept("healthcheck.test", "`exec` or `http`"),
    TEST_KIND,
    kept("healthcheck.interval", "`every`, 30s by default"),
    kept("healthcheck.timeout", "`timeout`, 30s by default"),
    kept("healthcheck.retries", "`failures`"),
    kept("healthcheck.disable", "no probe"),
    kept_when(
        "healthcheck.start_period, start_interval",
        "",
        "nothing: a pod isn't ready until its probe passes",
        "",
    ),
    kept(
        "mount.type, source, target, read_only, volume, tmpfs, bind, consistency",
        "`mounts`",
    ),
    kept(
        "port.target, published, host_ip, protocol, name, mode, app_protocol",
        "`ports`, `publish`",
    ),
    kept("reference.source, target, uid, gid, mode", "`config`, `secret`"),
    kept("configs.file, content, name", "`config`"),
    kept("secrets.file, name", "`secrets`"),
    SECRET_VALUES,
    kept("volumes.driver_opts", "`tmpfs` where its type is that"),
    kept(
        "volumes.name, driver, external, labels",
        "nothing: a claim is the stack's own",
    ),
];
