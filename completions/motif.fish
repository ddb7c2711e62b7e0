# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_motif_global_optspecs
    string join \n color= q/quiet C/directory= H/host= h/help V/version
end

function __fish_motif_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_motif_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_motif_using_subcommand
    set -l cmd (__fish_motif_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c motif -n "__fish_motif_needs_command" -l color -d 'Use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c motif -n "__fish_motif_needs_command" -s C -l directory -d 'Work in another folder' -r -F
complete -c motif -n "__fish_motif_needs_command" -s H -l host -d 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`' -r
complete -c motif -n "__fish_motif_needs_command" -s q -l quiet -d 'Say nothing but warnings and errors'
complete -c motif -n "__fish_motif_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c motif -n "__fish_motif_needs_command" -s V -l version -d 'Print version'
complete -c motif -n "__fish_motif_needs_command" -f -a "new" -d 'Write a project from a pattern'
complete -c motif -n "__fish_motif_needs_command" -f -a "add" -d 'Add a pattern to a pod of the stack that is there'
complete -c motif -n "__fish_motif_needs_command" -f -a "remove" -d 'Take away what `motif add` added to a pod'
complete -c motif -n "__fish_motif_needs_command" -f -a "patterns" -d 'List the patterns, or show what one is, asks, promises and writes'
complete -c motif -n "__fish_motif_needs_command" -f -a "check" -d 'Check a stack and report every problem at once'
complete -c motif -n "__fish_motif_needs_command" -f -a "schema" -d 'Print the JSON Schema of stack.yaml'
complete -c motif -n "__fish_motif_needs_command" -f -a "up" -d 'Build, load and start the stack\'s pods'
complete -c motif -n "__fish_motif_needs_command" -f -a "scale" -d 'Run another number of replicas of a pod'
complete -c motif -n "__fish_motif_needs_command" -f -a "verify" -d 'Break the stack on purpose and prove what it promises'
complete -c motif -n "__fish_motif_needs_command" -f -a "ps" -d 'Show the stack\'s pods: what is ready, what restarts, what is published'
complete -c motif -n "__fish_motif_needs_command" -f -a "top" -d 'Show what the stack\'s pods use and serve, as it changes'
complete -c motif -n "__fish_motif_needs_command" -f -a "why" -d 'Say why something of the stack is not as it should be'
complete -c motif -n "__fish_motif_needs_command" -f -a "logs" -d 'Show what the stack\'s containers wrote, in the order of its time'
complete -c motif -n "__fish_motif_needs_command" -f -a "exec" -d 'Run a program in a container of the stack'
complete -c motif -n "__fish_motif_needs_command" -f -a "down" -d 'Stop the stack\'s pods and remove all that the stack owns'
complete -c motif -n "__fish_motif_needs_command" -f -a "supervise" -d 'Keep a detached stack\'s jobs: begin their runs, count them, and wait for the next due time'
complete -c motif -n "__fish_motif_needs_command" -f -a "export" -d 'Turn the stack into the files of another system'
complete -c motif -n "__fish_motif_needs_command" -f -a "push" -d 'Build the stack\'s images, and push them and the block image to a registry'
complete -c motif -n "__fish_motif_needs_command" -f -a "import" -d 'Make a stack of a Kubernetes manifest or a Compose file'
complete -c motif -n "__fish_motif_needs_command" -f -a "inspect" -d 'Show an image\'s interface: its parameters, ports, user and program'
complete -c motif -n "__fish_motif_needs_command" -f -a "images" -d 'Show what motif keeps on the engine: block images, built images, volumes with the binary'
complete -c motif -n "__fish_motif_needs_command" -f -a "prune" -d 'Remove images and volumes of motif that nothing uses any more'
complete -c motif -n "__fish_motif_needs_command" -f -a "block" -d 'Run a building block: the programs that motif puts into containers'
complete -c motif -n "__fish_motif_needs_command" -f -a "completions" -d 'Print the completion script of a shell'
complete -c motif -n "__fish_motif_needs_command" -f -a "man" -d 'Print the manual page, or write one page a command'
complete -c motif -n "__fish_motif_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c motif -n "__fish_motif_using_subcommand new" -l set -d 'Answer a parameter' -r
complete -c motif -n "__fish_motif_using_subcommand new" -l answers -d 'Take answers from a file; `--set` comes first' -r -F
complete -c motif -n "__fish_motif_using_subcommand new" -l catalog -d 'Look for patterns in this folder too' -r -F
complete -c motif -n "__fish_motif_using_subcommand new" -s o -l output -d 'Write into this folder; default the project\'s name' -r -F
complete -c motif -n "__fish_motif_using_subcommand new" -l color -d 'Use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c motif -n "__fish_motif_using_subcommand new" -s C -l directory -d 'Work in another folder' -r -F
complete -c motif -n "__fish_motif_using_subcommand new" -s H -l host -d 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`' -r
complete -c motif -n "__fish_motif_using_subcommand new" -l defaults -d 'Ask nothing: what is not given takes its default'
complete -c motif -n "__fish_motif_using_subcommand new" -l dry-run -d 'Show what would be written, and how files that exist would change'
complete -c motif -n "__fish_motif_using_subcommand new" -l force -d 'Replace files that exist; others in the folder stay as they are'
complete -c motif -n "__fish_motif_using_subcommand new" -s q -l quiet -d 'Say nothing but warnings and errors'
complete -c motif -n "__fish_motif_using_subcommand new" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c motif -n "__fish_motif_using_subcommand add" -l to -d 'The pod that it is added to' -r
complete -c motif -n "__fish_motif_using_subcommand add" -l set -d 'Answer a parameter' -r
complete -c motif -n "__fish_motif_using_subcommand add" -l catalog -d 'Look for patterns in this folder too' -r -F
complete -c motif -n "__fish_motif_using_subcommand add" -s f -l file -d 'Add to this stack instead of `stack.yaml`' -r -F
complete -c motif -n "__fish_motif_using_subcommand add" -l color -d 'Use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c motif -n "__fish_motif_using_subcommand add" -s C -l directory -d 'Work in another folder' -r -F
complete -c motif -n "__fish_motif_using_subcommand add" -s H -l host -d 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`' -r
complete -c motif -n "__fish_motif_using_subcommand add" -l defaults -d 'Ask nothing: what is not given takes its default'
complete -c motif -n "__fish_motif_using_subcommand add" -l dry-run -d 'Show what would be written, and how the stack would change'
complete -c motif -n "__fish_motif_using_subcommand add" -s q -l quiet -d 'Say nothing but warnings and errors'
complete -c motif -n "__fish_motif_using_subcommand add" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c motif -n "__fish_motif_using_subcommand remove" -l from -d 'The pod that it was added to' -r
complete -c motif -n "__fish_motif_using_subcommand remove" -s f -l file -d 'Take it from this stack instead of `stack.yaml`' -r -F
complete -c motif -n "__fish_motif_using_subcommand remove" -l color -d 'Use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c motif -n "__fish_motif_using_subcommand remove" -s C -l directory -d 'Work in another folder' -r -F
complete -c motif -n "__fish_motif_using_subcommand remove" -s H -l host -d 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`' -r
complete -c motif -n "__fish_motif_using_subcommand remove" -l dry-run -d 'Show how files would change'
complete -c motif -n "__fish_motif_using_subcommand remove" -l force -d 'Remove files that were edited since, too'
complete -c motif -n "__fish_motif_using_subcommand remove" -s q -l quiet -d 'Say nothing but warnings and errors'
complete -c motif -n "__fish_motif_using_subcommand remove" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c motif -n "__fish_motif_using_subcommand patterns; and not __fish_seen_subcommand_from show help" -l format -d 'Write a table, or JSON' -r -f -a "table\t'For people'
json\t'One JSON document'"
complete -c motif -n "__fish_motif_using_subcommand patterns; and not __fish_seen_subcommand_from show help" -l catalog -d 'Look for patterns in this folder too' -r -F
complete -c motif -n "__fish_motif_using_subcommand patterns; and not __fish_seen_subcommand_from show help" -l color -d 'Use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c motif -n "__fish_motif_using_subcommand patterns; and not __fish_seen_subcommand_from show help" -s C -l directory -d 'Work in another folder' -r -F
complete -c motif -n "__fish_motif_using_subcommand patterns; and not __fish_seen_subcommand_from show help" -s H -l host -d 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`' -r
complete -c motif -n "__fish_motif_using_subcommand patterns; and not __fish_seen_subcommand_from show help" -s q -l quiet -d 'Say nothing but warnings and errors'
complete -c motif -n "__fish_motif_using_subcommand patterns; and not __fish_seen_subcommand_from show help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c motif -n "__fish_motif_using_subcommand patterns; and not __fish_seen_subcommand_from show help" -f -a "show" -d 'Show what a pattern is, asks, promises and writes'
complete -c motif -n "__fish_motif_using_subcommand patterns; and not __fish_seen_subcommand_from show help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c motif -n "__fish_motif_using_subcommand patterns; and __fish_seen_subcommand_from show" -l format -d 'Write a table, or JSON' -r -f -a "table\t'For people'
json\t'One JSON document'"
complete -c motif -n "__fish_motif_using_subcommand patterns; and __fish_seen_subcommand_from show" -l catalog -d 'Look for patterns in this folder too' -r -F
complete -c motif -n "__fish_motif_using_subcommand patterns; and __fish_seen_subcommand_from show" -l color -d 'Use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c motif -n "__fish_motif_using_subcommand patterns; and __fish_seen_subcommand_from show" -s C -l directory -d 'Work in another folder' -r -F
complete -c motif -n "__fish_motif_using_subcommand patterns; and __fish_seen_subcommand_from show" -s H -l host -d 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`' -r
complete -c motif -n "__fish_motif_using_subcommand patterns; and __fish_seen_subcommand_from show" -s q -l quiet -d 'Say nothing but warnings and errors'
complete -c motif -n "__fish_motif_using_subcommand patterns; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c motif -n "__fish_motif_using_subcommand patterns; and __fish_seen_subcommand_from help" -f -a "show" -d 'Show what a pattern is, asks, promises and writes'
complete -c motif -n "__fish_motif_using_subcommand patterns; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c motif -n "__fish_motif_using_subcommand check" -s f -l file -d 'Read this stack instead of `stack.yaml`' -r -F
complete -c motif -n "__fish_motif_using_subcommand check" -l set -d 'Give a parameter of the stack a value; may be repeated' -r
complete -c motif -n "__fish_motif_using_subcommand check" -s p -l project-name -d 'Name the stack otherwise than its file does' -r
complete -c motif -n "__fish_motif_using_subcommand check" -l format -d 'Print the result for people, or as one JSON document' -r -f -a "table\t'For people'
json\t'One JSON document'"
complete -c motif -n "__fish_motif_using_subcommand check" -l target -d 'Say what an export would change, too' -r -f -a "compose\t'Docker Compose'
kubernetes\t'A cluster'"
complete -c motif -n "__fish_motif_using_subcommand check" -l color -d 'Use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c motif -n "__fish_motif_using_subcommand check" -s C -l directory -d 'Work in another folder' -r -F
complete -c motif -n "__fish_motif_using_subcommand check" -s H -l host -d 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`' -r
complete -c motif -n "__fish_motif_using_subcommand check" -s q -l quiet -d 'Say nothing but warnings and errors'
complete -c motif -n "__fish_motif_using_subcommand check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c motif -n "__fish_motif_using_subcommand schema" -l color -d 'Use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c motif -n "__fish_motif_using_subcommand schema" -s C -l directory -d 'Work in another folder' -r -F
complete -c motif -n "__fish_motif_using_subcommand schema" -s H -l host -d 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`' -r
complete -c motif -n "__fish_motif_using_subcommand schema" -s q -l quiet -d 'Say nothing but warnings and errors'
complete -c motif -n "__fish_motif_using_subcommand schema" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c motif -n "__fish_motif_using_subcommand up" -s f -l file -d 'Read this stack instead of `stack.yaml`' -r -F
complete -c motif -n "__fish_motif_using_subcommand up" -l set -d 'Give a parameter of the stack a value; may be repeated' -r
complete -c motif -n "__fish_motif_using_subcommand up" -s p -l project-name -d 'Name the stack otherwise than its file does' -r
complete -c motif -n "__fish_motif_using_subcommand up" -l wait-timeout -d 'How long --wait waits' -r
complete -c motif -n "__fish_motif_using_subcommand up" -l builder -d 'What builds images [default: BuildKit where the engine has it]' -r -f -a "buildkit\t'With build secrets and cache mounts'
classic\t'The engine\'s older one, and Podman\'s'"
complete -c motif -n "__fish_motif_using_subcommand up" -l scale -d 'Run another number of replicas of a pod' -r
complete -c motif -n "__fish_motif_using_subcommand up" -l remove-orphans -d 'Remove containers that the stack has no more' -r -f -a "true\t''
false\t''"
complete -c motif -n "__fish_motif_using_subcommand up" -l format -d 'The form of what is printed at the end' -r -f -a "table\t'For people'
json\t'One JSON document'"
complete -c motif -n "__fish_motif_using_subcommand up" -l color -d 'Use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c motif -n "__fish_motif_using_subcommand up" -s C -l directory -d 'Work in another folder' -r -F
complete -c motif -n "__fish_motif_using_subcommand up" -s H -l host -d 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`' -r
complete -c motif -n "__fish_motif_using_subcommand up" -s d -l detach -d 'Return when the pods are started'
complete -c motif -n "__fish_motif_using_subcommand up" -l wait -d 'Return when the pods are ready; implies --detach'
complete -c motif -n "__fish_motif_using_subcommand up" -l watch -d 'Build again, or copy into containers, what changes while the stack runs'
complete -c motif -n "__fish_motif_using_subcommand up" -l build -d 'Build images although nothing changed'
complete -c motif -n "__fish_motif_using_subcommand up" -l dry-run -d 'Print what would be done, and do nothing'
complete -c motif -n "__fish_motif_using_subcommand up" -s q -l quiet -d 'Say nothing but warnings and errors'
complete -c motif -n "__fish_motif_using_subcommand up" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c motif -n "__fish_motif_using_subcommand scale" -s f -l file -d 'Read this stack instead of `stack.yaml`' -r -F
complete -c motif -n "__fish_motif_using_subcommand scale" -l set -d 'Give a parameter of the stack a value; may be repeated' -r
complete -c motif -n "__fish_motif_using_subcommand scale" -s p -l project-name -d 'Name the stack otherwise than its file does' -r
complete -c motif -n "__fish_motif_using_subcommand scale" -l wait-timeout -d 'How long --wait waits' -r
complete -c motif -n "__fish_motif_using_subcommand scale" -l format -d 'The form of what is printed at the end' -r -f -a "table\t'For people'
json\t'One JSON document'"
complete -c motif -n "__fish_motif_using_subcommand scale" -l color -d 'Use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c motif -n "__fish_motif_using_subcommand scale" -s C -l directory -d 'Work in another folder' -r -F
complete -c motif -n "__fish_motif_using_subcommand scale" -s H -l host -d 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`' -r
complete -c motif -n "__fish_motif_using_subcommand scale" -l wait -d 'Return when the replicas are ready, not only started'
complete -c motif -n "__fish_motif_using_subcommand scale" -l dry-run -d 'Print what would be done, and do nothing'
complete -c motif -n "__fish_motif_using_subcommand scale" -s q -l quiet -d 'Say nothing but warnings and errors'
complete -c motif -n "__fish_motif_using_subcommand scale" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c motif -n "__fish_motif_using_subcommand verify" -s f -l file -d 'Read this stack instead of `stack.yaml`' -r -F
complete -c motif -n "__fish_motif_using_subcommand verify" -l set -d 'Give a parameter of the stack a value; may be repeated' -r
complete -c motif -n "__fish_motif_using_subcommand verify" -s p -l project-name -d 'Name the stack otherwise than its file does' -r
complete -c motif -n "__fish_motif_using_subcommand verify" -l seed -d 'Decide where chance does, as an earlier run did' -r
complete -c motif -n "__fish_motif_using_subcommand verify" -l repeat -d 'Try each promise so often' -r
complete -c motif -n "__fish_motif_using_subcommand verify" -l wait-timeout -d 'How long the stack may take until it is ready' -r
complete -c motif -n "__fish_motif_using_subcommand verify" -l format -d 'The form of the result' -r -f -a "table\t'A line for each promise'
json\t'One JSON document'
junit\t'The XML of `JUnit`, for CI systems'"
complete -c motif -n "__fish_motif_using_subcommand verify" -l color -d 'Use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c motif -n "__fish_motif_using_subcommand verify" -s C -l directory -d 'Work in another folder' -r -F
complete -c motif -n "__fish_motif_using_subcommand verify" -s H -l host -d 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`' -r
complete -c motif -n "__fish_motif_using_subcommand verify" -l control -d 'Take each promise\'s mechanism out: it must break then'
complete -c motif -n "__fish_motif_using_subcommand verify" -l keep -d 'Leave the stack up'
complete -c motif -n "__fish_motif_using_subcommand verify" -s v -l verbose -d 'Show what happens when'
complete -c motif -n "__fish_motif_using_subcommand verify" -s q -l quiet -d 'Say nothing but warnings and errors'
complete -c motif -n "__fish_motif_using_subcommand verify" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c motif -n "__fish_motif_using_subcommand ps" -s f -l file -d 'Take the stack\'s name from this file instead of `stack.yaml`' -r -F
complete -c motif -n "__fish_motif_using_subcommand ps" -s p -l project-name -d 'Name the stack; then no file is needed' -r
complete -c motif -n "__fish_motif_using_subcommand ps" -l format -d 'Print for people, or as one JSON document with every container' -r -f -a "table\t'For people'
json\t'One JSON document'"
complete -c motif -n "__fish_motif_using_subcommand ps" -l color -d 'Use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c motif -n "__fish_motif_using_subcommand ps" -s C -l directory -d 'Work in another folder' -r -F
complete -c motif -n "__fish_motif_using_subcommand ps" -s H -l host -d 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`' -r
complete -c motif -n "__fish_motif_using_subcommand ps" -s a -l all -d 'Show replicas that ended well too'
complete -c motif -n "__fish_motif_using_subcommand ps" -s q -l quiet -d 'Say nothing but warnings and errors'
complete -c motif -n "__fish_motif_using_subcommand ps" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c motif -n "__fish_motif_using_subcommand top" -s f -l file -d 'Take the stack\'s name from this file instead of `stack.yaml`' -r -F
complete -c motif -n "__fish_motif_using_subcommand top" -s p -l project-name -d 'Name the stack; then no file is needed' -r
complete -c motif -n "__fish_motif_using_subcommand top" -l format -d 'Print for people, or as one JSON document; the latter is one look' -r -f -a "table\t'For people'
json\t'One JSON document'"
complete -c motif -n "__fish_motif_using_subcommand top" -l color -d 'Use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c motif -n "__fish_motif_using_subcommand top" -s C -l directory -d 'Work in another folder' -r -F
complete -c motif -n "__fish_motif_using_subcommand top" -s H -l host -d 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`' -r
complete -c motif -n "__fish_motif_using_subcommand top" -l once -d 'Print one look and end'
complete -c motif -n "__fish_motif_using_subcommand top" -s q -l quiet -d 'Say nothing but warnings and errors'
complete -c motif -n "__fish_motif_using_subcommand top" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c motif -n "__fish_motif_using_subcommand why" -s f -l file -d 'Take the stack\'s name from this file instead of `stack.yaml`' -r -F
complete -c motif -n "__fish_motif_using_subcommand why" -s p -l project-name -d 'Name the stack; then no file is needed' -r
complete -c motif -n "__fish_motif_using_subcommand why" -l format -d 'Print for people, or as one JSON document' -r -f -a "table\t'For people'
json\t'One JSON document'"
complete -c motif -n "__fish_motif_using_subcommand why" -l color -d 'Use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c motif -n "__fish_motif_using_subcommand why" -s C -l directory -d 'Work in another folder' -r -F
complete -c motif -n "__fish_motif_using_subcommand why" -s H -l host -d 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`' -r
complete -c motif -n "__fish_motif_using_subcommand why" -s q -l quiet -d 'Say nothing but warnings and errors'
complete -c motif -n "__fish_motif_using_subcommand why" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c motif -n "__fish_motif_using_subcommand logs" -s p -l project-name -d 'Name the stack; then no file is needed' -r
complete -c motif -n "__fish_motif_using_subcommand logs" -s n -l tail -d 'Show only each container\'s last lines' -r
complete -c motif -n "__fish_motif_using_subcommand logs" -l since -d 'Show lines from then on: `10m`, `1h30m` ago, or a time like `2026-01-02T03:04:05Z`' -r
complete -c motif -n "__fish_motif_using_subcommand logs" -l grep -d 'Show only lines that hold this text' -r
complete -c motif -n "__fish_motif_using_subcommand logs" -l format -d 'Print for people, or as one JSON object for each line' -r -f -a "table\t'For people'
json\t'One JSON document'"
complete -c motif -n "__fish_motif_using_subcommand logs" -l file -d 'Take the stack\'s name from this file instead of `stack.yaml`' -r -F
complete -c motif -n "__fish_motif_using_subcommand logs" -l color -d 'Use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c motif -n "__fish_motif_using_subcommand logs" -s C -l directory -d 'Work in another folder' -r -F
complete -c motif -n "__fish_motif_using_subcommand logs" -s H -l host -d 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`' -r
complete -c motif -n "__fish_motif_using_subcommand logs" -s f -l follow -d 'Go on with what is written from now on, across restarts, until Ctrl-C'
complete -c motif -n "__fish_motif_using_subcommand logs" -s t -l timestamps -d 'Put the time before each line'
complete -c motif -n "__fish_motif_using_subcommand logs" -l no-prefix -d 'Leave the container\'s name away'
complete -c motif -n "__fish_motif_using_subcommand logs" -s q -l quiet -d 'Say nothing but warnings and errors'
complete -c motif -n "__fish_motif_using_subcommand logs" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c motif -n "__fish_motif_using_subcommand exec" -s f -l file -d 'Take the stack\'s name from this file instead of `stack.yaml`' -r -F
complete -c motif -n "__fish_motif_using_subcommand exec" -s p -l project-name -d 'Name the stack; then no file is needed' -r
complete -c motif -n "__fish_motif_using_subcommand exec" -s u -l user -d 'Run as another user' -r
complete -c motif -n "__fish_motif_using_subcommand exec" -s w -l workdir -d 'Run in another folder of the container' -r
complete -c motif -n "__fish_motif_using_subcommand exec" -s e -l env -d 'Set an environment variable; may be repeated; `NAME` alone takes this process\'s value' -r
complete -c motif -n "__fish_motif_using_subcommand exec" -l color -d 'Use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c motif -n "__fish_motif_using_subcommand exec" -s C -l directory -d 'Work in another folder' -r -F
complete -c motif -n "__fish_motif_using_subcommand exec" -s H -l host -d 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`' -r
complete -c motif -n "__fish_motif_using_subcommand exec" -s i -l interactive -d 'Pass standard input on; the default when it is no terminal, or both ends are one'
complete -c motif -n "__fish_motif_using_subcommand exec" -s t -l tty -d 'Give the program a terminal; the default when both ends are one'
complete -c motif -n "__fish_motif_using_subcommand exec" -s T -l no-tty -d 'Give the program no terminal'
complete -c motif -n "__fish_motif_using_subcommand exec" -s q -l quiet -d 'Say nothing but warnings and errors'
complete -c motif -n "__fish_motif_using_subcommand exec" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c motif -n "__fish_motif_using_subcommand down" -s f -l file -d 'Read this stack instead of `stack.yaml`' -r -F
complete -c motif -n "__fish_motif_using_subcommand down" -l set -d 'Give a parameter of the stack a value; may be repeated' -r
complete -c motif -n "__fish_motif_using_subcommand down" -s p -l project-name -d 'Name the stack otherwise than its file does' -r
complete -c motif -n "__fish_motif_using_subcommand down" -s t -l timeout -d 'Seconds from SIGTERM to SIGKILL, instead of each pod\'s own grace' -r
complete -c motif -n "__fish_motif_using_subcommand down" -l color -d 'Use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c motif -n "__fish_motif_using_subcommand down" -s C -l directory -d 'Work in another folder' -r -F
complete -c motif -n "__fish_motif_using_subcommand down" -s H -l host -d 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`' -r
complete -c motif -n "__fish_motif_using_subcommand down" -s v -l volumes -d 'Remove claims too'
complete -c motif -n "__fish_motif_using_subcommand down" -l dry-run -d 'Print what would be done, and do nothing'
complete -c motif -n "__fish_motif_using_subcommand down" -s q -l quiet -d 'Say nothing but warnings and errors'
complete -c motif -n "__fish_motif_using_subcommand down" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c motif -n "__fish_motif_using_subcommand supervise" -s f -l file -d 'Read this stack instead of `stack.yaml`' -r -F
complete -c motif -n "__fish_motif_using_subcommand supervise" -l set -d 'Give a parameter of the stack a value; may be repeated' -r
complete -c motif -n "__fish_motif_using_subcommand supervise" -s p -l project-name -d 'Name the stack otherwise than its file does' -r
complete -c motif -n "__fish_motif_using_subcommand supervise" -l color -d 'Use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c motif -n "__fish_motif_using_subcommand supervise" -s C -l directory -d 'Work in another folder' -r -F
complete -c motif -n "__fish_motif_using_subcommand supervise" -s H -l host -d 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`' -r
complete -c motif -n "__fish_motif_using_subcommand supervise" -s q -l quiet -d 'Say nothing but warnings and errors'
complete -c motif -n "__fish_motif_using_subcommand supervise" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c motif -n "__fish_motif_using_subcommand export; and not __fish_seen_subcommand_from compose kubernetes help" -l color -d 'Use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c motif -n "__fish_motif_using_subcommand export; and not __fish_seen_subcommand_from compose kubernetes help" -s C -l directory -d 'Work in another folder' -r -F
complete -c motif -n "__fish_motif_using_subcommand export; and not __fish_seen_subcommand_from compose kubernetes help" -s H -l host -d 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`' -r
complete -c motif -n "__fish_motif_using_subcommand export; and not __fish_seen_subcommand_from compose kubernetes help" -s q -l quiet -d 'Say nothing but warnings and errors'
complete -c motif -n "__fish_motif_using_subcommand export; and not __fish_seen_subcommand_from compose kubernetes help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c motif -n "__fish_motif_using_subcommand export; and not __fish_seen_subcommand_from compose kubernetes help" -f -a "compose" -d 'Print the stack as a Compose file, to be run as it is'
complete -c motif -n "__fish_motif_using_subcommand export; and not __fish_seen_subcommand_from compose kubernetes help" -f -a "kubernetes" -d 'Print the stack as Kubernetes objects, to be applied as they are'
complete -c motif -n "__fish_motif_using_subcommand export; and not __fish_seen_subcommand_from compose kubernetes help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c motif -n "__fish_motif_using_subcommand export; and __fish_seen_subcommand_from compose" -s f -l file -d 'Read this stack instead of `stack.yaml`' -r -F
complete -c motif -n "__fish_motif_using_subcommand export; and __fish_seen_subcommand_from compose" -l set -d 'Give a parameter of the stack a value; may be repeated' -r
complete -c motif -n "__fish_motif_using_subcommand export; and __fish_seen_subcommand_from compose" -s p -l project-name -d 'Name the stack otherwise than its file does' -r
complete -c motif -n "__fish_motif_using_subcommand export; and __fish_seen_subcommand_from compose" -s o -l output -d 'Write into this file; `-` prints it, with paths relative to the folder of the stack' -r -F
complete -c motif -n "__fish_motif_using_subcommand export; and __fish_seen_subcommand_from compose" -l registry -d 'Pull built and block images from here, such as `registry.example/team`' -r
complete -c motif -n "__fish_motif_using_subcommand export; and __fish_seen_subcommand_from compose" -l tag -d 'The tag of built images' -r
complete -c motif -n "__fish_motif_using_subcommand export; and __fish_seen_subcommand_from compose" -l report -d 'The form of what is said on stderr about the export' -r -f -a "text\t'Lines for people'
json\t'One JSON document'"
complete -c motif -n "__fish_motif_using_subcommand export; and __fish_seen_subcommand_from compose" -l color -d 'Use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c motif -n "__fish_motif_using_subcommand export; and __fish_seen_subcommand_from compose" -s C -l directory -d 'Work in another folder' -r -F
complete -c motif -n "__fish_motif_using_subcommand export; and __fish_seen_subcommand_from compose" -s H -l host -d 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`' -r
complete -c motif -n "__fish_motif_using_subcommand export; and __fish_seen_subcommand_from compose" -l pin -d 'Name every image with its digest, which its registry is asked for'
complete -c motif -n "__fish_motif_using_subcommand export; and __fish_seen_subcommand_from compose" -l check -d 'Write nothing, and fail with a diff when the file is not what the stack gives'
complete -c motif -n "__fish_motif_using_subcommand export; and __fish_seen_subcommand_from compose" -l strict -d 'Fail, and write nothing, when anything isn\'t kept'
complete -c motif -n "__fish_motif_using_subcommand export; and __fish_seen_subcommand_from compose" -s q -l quiet -d 'Say nothing but warnings and errors'
complete -c motif -n "__fish_motif_using_subcommand export; and __fish_seen_subcommand_from compose" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c motif -n "__fish_motif_using_subcommand export; and __fish_seen_subcommand_from kubernetes" -s f -l file -d 'Read this stack instead of `stack.yaml`' -r -F
complete -c motif -n "__fish_motif_using_subcommand export; and __fish_seen_subcommand_from kubernetes" -l set -d 'Give a parameter of the stack a value; may be repeated' -r
complete -c motif -n "__fish_motif_using_subcommand export; and __fish_seen_subcommand_from kubernetes" -s p -l project-name -d 'Name the stack otherwise than its file does' -r
complete -c motif -n "__fish_motif_using_subcommand export; and __fish_seen_subcommand_from kubernetes" -s n -l namespace -d 'Put every object into this namespace' -r
complete -c motif -n "__fish_motif_using_subcommand export; and __fish_seen_subcommand_from kubernetes" -s o -l output -d 'Write a file for each object into a folder; `-` prints all of them' -r -f -a "(__fish_complete_directories)"
complete -c motif -n "__fish_motif_using_subcommand export; and __fish_seen_subcommand_from kubernetes" -l registry -d 'Pull built and block images from here, such as `registry.example/team`' -r
complete -c motif -n "__fish_motif_using_subcommand export; and __fish_seen_subcommand_from kubernetes" -l tag -d 'The tag of built images' -r
complete -c motif -n "__fish_motif_using_subcommand export; and __fish_seen_subcommand_from kubernetes" -l domain -d 'Give each service that is published to the world the host `SERVICE.DOMAIN`' -r
complete -c motif -n "__fish_motif_using_subcommand export; and __fish_seen_subcommand_from kubernetes" -l gateway -d 'Publish by routes of this gateway, NAME or NAMESPACE/NAME, instead of an Ingress' -r
complete -c motif -n "__fish_motif_using_subcommand export; and __fish_seen_subcommand_from kubernetes" -l ingress-class -d 'The class of the Ingress; default: the cluster\'s own' -r
complete -c motif -n "__fish_motif_using_subcommand export; and __fish_seen_subcommand_from kubernetes" -l sidecars -d 'Where sidecars stand in a pod' -r -f -a "native\t'Init containers that go on; Kubernetes 1.29 or later'
main\t'Before the main containers, for older clusters and for Podman'"
complete -c motif -n "__fish_motif_using_subcommand export; and __fish_seen_subcommand_from kubernetes" -l format -d 'The form of the objects' -r -f -a "yaml\t'YAML documents'
json\t'One JSON document'"
complete -c motif -n "__fish_motif_using_subcommand export; and __fish_seen_subcommand_from kubernetes" -l overlay -d 'Begin an overlay of this name beside the base, unless it is there; may be repeated' -r
complete -c motif -n "__fish_motif_using_subcommand export; and __fish_seen_subcommand_from kubernetes" -l report -d 'The form of what is said on stderr about the export' -r -f -a "text\t'Lines for people'
json\t'One JSON document'"
complete -c motif -n "__fish_motif_using_subcommand export; and __fish_seen_subcommand_from kubernetes" -l color -d 'Use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c motif -n "__fish_motif_using_subcommand export; and __fish_seen_subcommand_from kubernetes" -s C -l directory -d 'Work in another folder' -r -F
complete -c motif -n "__fish_motif_using_subcommand export; and __fish_seen_subcommand_from kubernetes" -s H -l host -d 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`' -r
complete -c motif -n "__fish_motif_using_subcommand export; and __fish_seen_subcommand_from kubernetes" -l include-secrets -d 'Write the values of secrets, too, instead of how to make them'
complete -c motif -n "__fish_motif_using_subcommand export; and __fish_seen_subcommand_from kubernetes" -l pin -d 'Name every image with its digest, which its registry is asked for'
complete -c motif -n "__fish_motif_using_subcommand export; and __fish_seen_subcommand_from kubernetes" -l kustomize -d 'Write a Kustomize base into the folder, for overlays to build upon'
complete -c motif -n "__fish_motif_using_subcommand export; and __fish_seen_subcommand_from kubernetes" -l helm -d 'Write a Helm chart into the folder; the stack\'s parameters are its values'
complete -c motif -n "__fish_motif_using_subcommand export; and __fish_seen_subcommand_from kubernetes" -l check -d 'Write nothing, and fail with a diff when the files in the folder are not what the stack gives'
complete -c motif -n "__fish_motif_using_subcommand export; and __fish_seen_subcommand_from kubernetes" -l strict -d 'Fail, and write nothing, when anything isn\'t kept'
complete -c motif -n "__fish_motif_using_subcommand export; and __fish_seen_subcommand_from kubernetes" -s q -l quiet -d 'Say nothing but warnings and errors'
complete -c motif -n "__fish_motif_using_subcommand export; and __fish_seen_subcommand_from kubernetes" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c motif -n "__fish_motif_using_subcommand export; and __fish_seen_subcommand_from help" -f -a "compose" -d 'Print the stack as a Compose file, to be run as it is'
complete -c motif -n "__fish_motif_using_subcommand export; and __fish_seen_subcommand_from help" -f -a "kubernetes" -d 'Print the stack as Kubernetes objects, to be applied as they are'
complete -c motif -n "__fish_motif_using_subcommand export; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c motif -n "__fish_motif_using_subcommand push" -s f -l file -d 'Read this stack instead of `stack.yaml`' -r -F
complete -c motif -n "__fish_motif_using_subcommand push" -l set -d 'Give a parameter of the stack a value; may be repeated' -r
complete -c motif -n "__fish_motif_using_subcommand push" -s p -l project-name -d 'Name the stack otherwise than its file does' -r
complete -c motif -n "__fish_motif_using_subcommand push" -l registry -d 'Push to here, such as `registry.example/team`' -r
complete -c motif -n "__fish_motif_using_subcommand push" -l tag -d 'The tag of built images' -r
complete -c motif -n "__fish_motif_using_subcommand push" -l builder -d 'What builds images [default: BuildKit where the engine has it]' -r -f -a "buildkit\t'With build secrets and cache mounts'
classic\t'The engine\'s older one, and Podman\'s'"
complete -c motif -n "__fish_motif_using_subcommand push" -l format -d 'Print for people, or as one JSON document' -r -f -a "table\t'For people'
json\t'One JSON document'"
complete -c motif -n "__fish_motif_using_subcommand push" -l color -d 'Use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c motif -n "__fish_motif_using_subcommand push" -s C -l directory -d 'Work in another folder' -r -F
complete -c motif -n "__fish_motif_using_subcommand push" -s H -l host -d 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`' -r
complete -c motif -n "__fish_motif_using_subcommand push" -l build -d 'Build images although nothing changed'
complete -c motif -n "__fish_motif_using_subcommand push" -s q -l quiet -d 'Say nothing but warnings and errors'
complete -c motif -n "__fish_motif_using_subcommand push" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c motif -n "__fish_motif_using_subcommand import" -s o -l output -d 'Write the stack into a file; its paths start from this file\'s folder' -r -F
complete -c motif -n "__fish_motif_using_subcommand import" -l from -d 'What the files are; default: what they look like' -r -f -a "kubernetes\t'Objects, as `kubectl` takes them'
compose\t'Services, as `docker compose` takes them'"
complete -c motif -n "__fish_motif_using_subcommand import" -l name -d 'Name the stack; default: the name that the files agree on, else their folder\'s' -r
complete -c motif -n "__fish_motif_using_subcommand import" -l report -d 'The form of what is said on stderr about the import' -r -f -a "text\t'Lines for people'
json\t'One JSON document'"
complete -c motif -n "__fish_motif_using_subcommand import" -l color -d 'Use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c motif -n "__fish_motif_using_subcommand import" -s C -l directory -d 'Work in another folder' -r -F
complete -c motif -n "__fish_motif_using_subcommand import" -s H -l host -d 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`' -r
complete -c motif -n "__fish_motif_using_subcommand import" -l force -d 'Replace the file if it exists'
complete -c motif -n "__fish_motif_using_subcommand import" -l strict -d 'Fail, and write nothing, when anything isn\'t kept'
complete -c motif -n "__fish_motif_using_subcommand import" -s q -l quiet -d 'Say nothing but warnings and errors'
complete -c motif -n "__fish_motif_using_subcommand import" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c motif -n "__fish_motif_using_subcommand inspect" -l diff -d 'Compare the parameters of two images' -r
complete -c motif -n "__fish_motif_using_subcommand inspect" -l format -d 'Print for people, or as one JSON document' -r -f -a "table\t'For people'
json\t'One JSON document'"
complete -c motif -n "__fish_motif_using_subcommand inspect" -l color -d 'Use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c motif -n "__fish_motif_using_subcommand inspect" -s C -l directory -d 'Work in another folder' -r -F
complete -c motif -n "__fish_motif_using_subcommand inspect" -s H -l host -d 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`' -r
complete -c motif -n "__fish_motif_using_subcommand inspect" -s q -l quiet -d 'Say nothing but warnings and errors'
complete -c motif -n "__fish_motif_using_subcommand inspect" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c motif -n "__fish_motif_using_subcommand images" -l format -d 'Print for people, or as one JSON document' -r -f -a "table\t'For people'
json\t'One JSON document'"
complete -c motif -n "__fish_motif_using_subcommand images" -l color -d 'Use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c motif -n "__fish_motif_using_subcommand images" -s C -l directory -d 'Work in another folder' -r -F
complete -c motif -n "__fish_motif_using_subcommand images" -s H -l host -d 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`' -r
complete -c motif -n "__fish_motif_using_subcommand images" -l load -d 'Load the block image and fill its volume first, so that the next `up` need not'
complete -c motif -n "__fish_motif_using_subcommand images" -s q -l quiet -d 'Say nothing but warnings and errors'
complete -c motif -n "__fish_motif_using_subcommand images" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c motif -n "__fish_motif_using_subcommand prune" -l format -d 'Print for people, or as one JSON document' -r -f -a "table\t'For people'
json\t'One JSON document'"
complete -c motif -n "__fish_motif_using_subcommand prune" -l color -d 'Use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c motif -n "__fish_motif_using_subcommand prune" -s C -l directory -d 'Work in another folder' -r -F
complete -c motif -n "__fish_motif_using_subcommand prune" -s H -l host -d 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`' -r
complete -c motif -n "__fish_motif_using_subcommand prune" -s a -l all -d 'Remove everything that no container uses, even what the next `up` would use again'
complete -c motif -n "__fish_motif_using_subcommand prune" -l dry-run -d 'Print what would be removed, and remove nothing'
complete -c motif -n "__fish_motif_using_subcommand prune" -s q -l quiet -d 'Say nothing but warnings and errors'
complete -c motif -n "__fish_motif_using_subcommand prune" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c motif -n "__fish_motif_using_subcommand block" -l color -d 'Use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c motif -n "__fish_motif_using_subcommand block" -s C -l directory -d 'Work in another folder' -r -F
complete -c motif -n "__fish_motif_using_subcommand block" -s H -l host -d 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`' -r
complete -c motif -n "__fish_motif_using_subcommand block" -s q -l quiet -d 'Say nothing but warnings and errors'
complete -c motif -n "__fish_motif_using_subcommand completions" -l color -d 'Use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c motif -n "__fish_motif_using_subcommand completions" -s C -l directory -d 'Work in another folder' -r -F
complete -c motif -n "__fish_motif_using_subcommand completions" -s H -l host -d 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`' -r
complete -c motif -n "__fish_motif_using_subcommand completions" -s q -l quiet -d 'Say nothing but warnings and errors'
complete -c motif -n "__fish_motif_using_subcommand completions" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c motif -n "__fish_motif_using_subcommand man" -s o -l output -d 'Write motif.1 and a page for every command into this folder' -r -F
complete -c motif -n "__fish_motif_using_subcommand man" -l color -d 'Use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c motif -n "__fish_motif_using_subcommand man" -s C -l directory -d 'Work in another folder' -r -F
complete -c motif -n "__fish_motif_using_subcommand man" -s H -l host -d 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`' -r
complete -c motif -n "__fish_motif_using_subcommand man" -s q -l quiet -d 'Say nothing but warnings and errors'
complete -c motif -n "__fish_motif_using_subcommand man" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c motif -n "__fish_motif_using_subcommand help; and not __fish_seen_subcommand_from new add remove patterns check schema up scale verify ps top why logs exec down supervise export push import inspect images prune block completions man help" -f -a "new" -d 'Write a project from a pattern'
complete -c motif -n "__fish_motif_using_subcommand help; and not __fish_seen_subcommand_from new add remove patterns check schema up scale verify ps top why logs exec down supervise export push import inspect images prune block completions man help" -f -a "add" -d 'Add a pattern to a pod of the stack that is there'
complete -c motif -n "__fish_motif_using_subcommand help; and not __fish_seen_subcommand_from new add remove patterns check schema up scale verify ps top why logs exec down supervise export push import inspect images prune block completions man help" -f -a "remove" -d 'Take away what `motif add` added to a pod'
complete -c motif -n "__fish_motif_using_subcommand help; and not __fish_seen_subcommand_from new add remove patterns check schema up scale verify ps top why logs exec down supervise export push import inspect images prune block completions man help" -f -a "patterns" -d 'List the patterns, or show what one is, asks, promises and writes'
complete -c motif -n "__fish_motif_using_subcommand help; and not __fish_seen_subcommand_from new add remove patterns check schema up scale verify ps top why logs exec down supervise export push import inspect images prune block completions man help" -f -a "check" -d 'Check a stack and report every problem at once'
complete -c motif -n "__fish_motif_using_subcommand help; and not __fish_seen_subcommand_from new add remove patterns check schema up scale verify ps top why logs exec down supervise export push import inspect images prune block completions man help" -f -a "schema" -d 'Print the JSON Schema of stack.yaml'
complete -c motif -n "__fish_motif_using_subcommand help; and not __fish_seen_subcommand_from new add remove patterns check schema up scale verify ps top why logs exec down supervise export push import inspect images prune block completions man help" -f -a "up" -d 'Build, load and start the stack\'s pods'
complete -c motif -n "__fish_motif_using_subcommand help; and not __fish_seen_subcommand_from new add remove patterns check schema up scale verify ps top why logs exec down supervise export push import inspect images prune block completions man help" -f -a "scale" -d 'Run another number of replicas of a pod'
complete -c motif -n "__fish_motif_using_subcommand help; and not __fish_seen_subcommand_from new add remove patterns check schema up scale verify ps top why logs exec down supervise export push import inspect images prune block completions man help" -f -a "verify" -d 'Break the stack on purpose and prove what it promises'
complete -c motif -n "__fish_motif_using_subcommand help; and not __fish_seen_subcommand_from new add remove patterns check schema up scale verify ps top why logs exec down supervise export push import inspect images prune block completions man help" -f -a "ps" -d 'Show the stack\'s pods: what is ready, what restarts, what is published'
complete -c motif -n "__fish_motif_using_subcommand help; and not __fish_seen_subcommand_from new add remove patterns check schema up scale verify ps top why logs exec down supervise export push import inspect images prune block completions man help" -f -a "top" -d 'Show what the stack\'s pods use and serve, as it changes'
complete -c motif -n "__fish_motif_using_subcommand help; and not __fish_seen_subcommand_from new add remove patterns check schema up scale verify ps top why logs exec down supervise export push import inspect images prune block completions man help" -f -a "why" -d 'Say why something of the stack is not as it should be'
complete -c motif -n "__fish_motif_using_subcommand help; and not __fish_seen_subcommand_from new add remove patterns check schema up scale verify ps top why logs exec down supervise export push import inspect images prune block completions man help" -f -a "logs" -d 'Show what the stack\'s containers wrote, in the order of its time'
complete -c motif -n "__fish_motif_using_subcommand help; and not __fish_seen_subcommand_from new add remove patterns check schema up scale verify ps top why logs exec down supervise export push import inspect images prune block completions man help" -f -a "exec" -d 'Run a program in a container of the stack'
complete -c motif -n "__fish_motif_using_subcommand help; and not __fish_seen_subcommand_from new add remove patterns check schema up scale verify ps top why logs exec down supervise export push import inspect images prune block completions man help" -f -a "down" -d 'Stop the stack\'s pods and remove all that the stack owns'
complete -c motif -n "__fish_motif_using_subcommand help; and not __fish_seen_subcommand_from new add remove patterns check schema up scale verify ps top why logs exec down supervise export push import inspect images prune block completions man help" -f -a "supervise" -d 'Keep a detached stack\'s jobs: begin their runs, count them, and wait for the next due time'
complete -c motif -n "__fish_motif_using_subcommand help; and not __fish_seen_subcommand_from new add remove patterns check schema up scale verify ps top why logs exec down supervise export push import inspect images prune block completions man help" -f -a "export" -d 'Turn the stack into the files of another system'
complete -c motif -n "__fish_motif_using_subcommand help; and not __fish_seen_subcommand_from new add remove patterns check schema up scale verify ps top why logs exec down supervise export push import inspect images prune block completions man help" -f -a "push" -d 'Build the stack\'s images, and push them and the block image to a registry'
complete -c motif -n "__fish_motif_using_subcommand help; and not __fish_seen_subcommand_from new add remove patterns check schema up scale verify ps top why logs exec down supervise export push import inspect images prune block completions man help" -f -a "import" -d 'Make a stack of a Kubernetes manifest or a Compose file'
complete -c motif -n "__fish_motif_using_subcommand help; and not __fish_seen_subcommand_from new add remove patterns check schema up scale verify ps top why logs exec down supervise export push import inspect images prune block completions man help" -f -a "inspect" -d 'Show an image\'s interface: its parameters, ports, user and program'
complete -c motif -n "__fish_motif_using_subcommand help; and not __fish_seen_subcommand_from new add remove patterns check schema up scale verify ps top why logs exec down supervise export push import inspect images prune block completions man help" -f -a "images" -d 'Show what motif keeps on the engine: block images, built images, volumes with the binary'
complete -c motif -n "__fish_motif_using_subcommand help; and not __fish_seen_subcommand_from new add remove patterns check schema up scale verify ps top why logs exec down supervise export push import inspect images prune block completions man help" -f -a "prune" -d 'Remove images and volumes of motif that nothing uses any more'
complete -c motif -n "__fish_motif_using_subcommand help; and not __fish_seen_subcommand_from new add remove patterns check schema up scale verify ps top why logs exec down supervise export push import inspect images prune block completions man help" -f -a "block" -d 'Run a building block: the programs that motif puts into containers'
complete -c motif -n "__fish_motif_using_subcommand help; and not __fish_seen_subcommand_from new add remove patterns check schema up scale verify ps top why logs exec down supervise export push import inspect images prune block completions man help" -f -a "completions" -d 'Print the completion script of a shell'
complete -c motif -n "__fish_motif_using_subcommand help; and not __fish_seen_subcommand_from new add remove patterns check schema up scale verify ps top why logs exec down supervise export push import inspect images prune block completions man help" -f -a "man" -d 'Print the manual page, or write one page a command'
complete -c motif -n "__fish_motif_using_subcommand help; and not __fish_seen_subcommand_from new add remove patterns check schema up scale verify ps top why logs exec down supervise export push import inspect images prune block completions man help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c motif -n "__fish_motif_using_subcommand help; and __fish_seen_subcommand_from patterns" -f -a "show" -d 'Show what a pattern is, asks, promises and writes'
complete -c motif -n "__fish_motif_using_subcommand help; and __fish_seen_subcommand_from export" -f -a "compose" -d 'Print the stack as a Compose file, to be run as it is'
complete -c motif -n "__fish_motif_using_subcommand help; and __fish_seen_subcommand_from export" -f -a "kubernetes" -d 'Print the stack as Kubernetes objects, to be applied as they are'
