
using namespace System.Management.Automation
using namespace System.Management.Automation.Language

Register-ArgumentCompleter -Native -CommandName 'motif' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $commandElements = $commandAst.CommandElements
    $command = @(
        'motif'
        for ($i = 1; $i -lt $commandElements.Count; $i++) {
            $element = $commandElements[$i]
            if ($element -isnot [StringConstantExpressionAst] -or
                $element.StringConstantType -ne [StringConstantType]::BareWord -or
                $element.Value.StartsWith('-') -or
                $element.Value -eq $wordToComplete) {
                break
        }
        $element.Value
    }) -join ';'

    $completions = @(switch ($command) {
        'motif' {
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Use colour')
            [CompletionResult]::new('-C', '-C ', [CompletionResultType]::ParameterName, 'Work in another folder')
            [CompletionResult]::new('--directory', '--directory', [CompletionResultType]::ParameterName, 'Work in another folder')
            [CompletionResult]::new('-H', '-H ', [CompletionResultType]::ParameterName, 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`')
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but warnings and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but warnings and errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('new', 'new', [CompletionResultType]::ParameterValue, 'Write a project from a pattern')
            [CompletionResult]::new('add', 'add', [CompletionResultType]::ParameterValue, 'Add a pattern to a pod of the stack that is there')
            [CompletionResult]::new('remove', 'remove', [CompletionResultType]::ParameterValue, 'Take away what `motif add` added to a pod')
            [CompletionResult]::new('patterns', 'patterns', [CompletionResultType]::ParameterValue, 'List the patterns, or show what one is, asks, promises and writes')
            [CompletionResult]::new('check', 'check', [CompletionResultType]::ParameterValue, 'Check a stack and report every problem at once')
            [CompletionResult]::new('schema', 'schema', [CompletionResultType]::ParameterValue, 'Print the JSON Schema of stack.yaml')
            [CompletionResult]::new('up', 'up', [CompletionResultType]::ParameterValue, 'Build, load and start the stack''s pods')
            [CompletionResult]::new('scale', 'scale', [CompletionResultType]::ParameterValue, 'Run another number of replicas of a pod')
            [CompletionResult]::new('verify', 'verify', [CompletionResultType]::ParameterValue, 'Break the stack on purpose and prove what it promises')
            [CompletionResult]::new('ps', 'ps', [CompletionResultType]::ParameterValue, 'Show the stack''s pods: what is ready, what restarts, what is published')
            [CompletionResult]::new('top', 'top', [CompletionResultType]::ParameterValue, 'Show what the stack''s pods use and serve, as it changes')
            [CompletionResult]::new('why', 'why', [CompletionResultType]::ParameterValue, 'Say why something of the stack is not as it should be')
            [CompletionResult]::new('logs', 'logs', [CompletionResultType]::ParameterValue, 'Show what the stack''s containers wrote, in the order of its time')
            [CompletionResult]::new('exec', 'exec', [CompletionResultType]::ParameterValue, 'Run a program in a container of the stack')
            [CompletionResult]::new('down', 'down', [CompletionResultType]::ParameterValue, 'Stop the stack''s pods and remove all that the stack owns')
            [CompletionResult]::new('supervise', 'supervise', [CompletionResultType]::ParameterValue, 'Keep a detached stack''s jobs: begin their runs, count them, and wait for the next due time')
            [CompletionResult]::new('export', 'export', [CompletionResultType]::ParameterValue, 'Turn the stack into the files of another system')
            [CompletionResult]::new('push', 'push', [CompletionResultType]::ParameterValue, 'Build the stack''s images, and push them and the block image to a registry')
            [CompletionResult]::new('import', 'import', [CompletionResultType]::ParameterValue, 'Make a stack of a Kubernetes manifest or a Compose file')
            [CompletionResult]::new('inspect', 'inspect', [CompletionResultType]::ParameterValue, 'Show an image''s interface: its parameters, ports, user and program')
            [CompletionResult]::new('images', 'images', [CompletionResultType]::ParameterValue, 'Show what motif keeps on the engine: block images, built images, volumes with the binary')
            [CompletionResult]::new('prune', 'prune', [CompletionResultType]::ParameterValue, 'Remove images and volumes of motif that nothing uses any more')
            [CompletionResult]::new('block', 'block', [CompletionResultType]::ParameterValue, 'Run a building block: the programs that motif puts into containers')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print the completion script of a shell')
            [CompletionResult]::new('man', 'man', [CompletionResultType]::ParameterValue, 'Print the manual page, or write one page a command')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'motif;new' {
            [CompletionResult]::new('--set', '--set', [CompletionResultType]::ParameterName, 'Answer a parameter')
            [CompletionResult]::new('--answers', '--answers', [CompletionResultType]::ParameterName, 'Take answers from a file; `--set` comes first')
            [CompletionResult]::new('--catalog', '--catalog', [CompletionResultType]::ParameterName, 'Look for patterns in this folder too')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Write into this folder; default the project''s name')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Write into this folder; default the project''s name')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Use colour')
            [CompletionResult]::new('-C', '-C ', [CompletionResultType]::ParameterName, 'Work in another folder')
            [CompletionResult]::new('--directory', '--directory', [CompletionResultType]::ParameterName, 'Work in another folder')
            [CompletionResult]::new('-H', '-H ', [CompletionResultType]::ParameterName, 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`')
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`')
            [CompletionResult]::new('--defaults', '--defaults', [CompletionResultType]::ParameterName, 'Ask nothing: what is not given takes its default')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Show what would be written, and how files that exist would change')
            [CompletionResult]::new('--force', '--force', [CompletionResultType]::ParameterName, 'Replace files that exist; others in the folder stay as they are')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but warnings and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but warnings and errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'motif;add' {
            [CompletionResult]::new('--to', '--to', [CompletionResultType]::ParameterName, 'The pod that it is added to')
            [CompletionResult]::new('--set', '--set', [CompletionResultType]::ParameterName, 'Answer a parameter')
            [CompletionResult]::new('--catalog', '--catalog', [CompletionResultType]::ParameterName, 'Look for patterns in this folder too')
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'Add to this stack instead of `stack.yaml`')
            [CompletionResult]::new('--file', '--file', [CompletionResultType]::ParameterName, 'Add to this stack instead of `stack.yaml`')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Use colour')
            [CompletionResult]::new('-C', '-C ', [CompletionResultType]::ParameterName, 'Work in another folder')
            [CompletionResult]::new('--directory', '--directory', [CompletionResultType]::ParameterName, 'Work in another folder')
            [CompletionResult]::new('-H', '-H ', [CompletionResultType]::ParameterName, 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`')
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`')
            [CompletionResult]::new('--defaults', '--defaults', [CompletionResultType]::ParameterName, 'Ask nothing: what is not given takes its default')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Show what would be written, and how the stack would change')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but warnings and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but warnings and errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'motif;remove' {
            [CompletionResult]::new('--from', '--from', [CompletionResultType]::ParameterName, 'The pod that it was added to')
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'Take it from this stack instead of `stack.yaml`')
            [CompletionResult]::new('--file', '--file', [CompletionResultType]::ParameterName, 'Take it from this stack instead of `stack.yaml`')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Use colour')
            [CompletionResult]::new('-C', '-C ', [CompletionResultType]::ParameterName, 'Work in another folder')
            [CompletionResult]::new('--directory', '--directory', [CompletionResultType]::ParameterName, 'Work in another folder')
            [CompletionResult]::new('-H', '-H ', [CompletionResultType]::ParameterName, 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`')
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Show how files would change')
            [CompletionResult]::new('--force', '--force', [CompletionResultType]::ParameterName, 'Remove files that were edited since, too')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but warnings and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but warnings and errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'motif;patterns' {
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'Write a table, or JSON')
            [CompletionResult]::new('--catalog', '--catalog', [CompletionResultType]::ParameterName, 'Look for patterns in this folder too')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Use colour')
            [CompletionResult]::new('-C', '-C ', [CompletionResultType]::ParameterName, 'Work in another folder')
            [CompletionResult]::new('--directory', '--directory', [CompletionResultType]::ParameterName, 'Work in another folder')
            [CompletionResult]::new('-H', '-H ', [CompletionResultType]::ParameterName, 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`')
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but warnings and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but warnings and errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('show', 'show', [CompletionResultType]::ParameterValue, 'Show what a pattern is, asks, promises and writes')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'motif;patterns;show' {
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'Write a table, or JSON')
            [CompletionResult]::new('--catalog', '--catalog', [CompletionResultType]::ParameterName, 'Look for patterns in this folder too')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Use colour')
            [CompletionResult]::new('-C', '-C ', [CompletionResultType]::ParameterName, 'Work in another folder')
            [CompletionResult]::new('--directory', '--directory', [CompletionResultType]::ParameterName, 'Work in another folder')
            [CompletionResult]::new('-H', '-H ', [CompletionResultType]::ParameterName, 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`')
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but warnings and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but warnings and errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'motif;patterns;help' {
            [CompletionResult]::new('show', 'show', [CompletionResultType]::ParameterValue, 'Show what a pattern is, asks, promises and writes')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'motif;patterns;help;show' {
            break
        }
        'motif;patterns;help;help' {
            break
        }
        'motif;check' {
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'Read this stack instead of `stack.yaml`')
            [CompletionResult]::new('--file', '--file', [CompletionResultType]::ParameterName, 'Read this stack instead of `stack.yaml`')
            [CompletionResult]::new('--set', '--set', [CompletionResultType]::ParameterName, 'Give a parameter of the stack a value; may be repeated')
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Name the stack otherwise than its file does')
            [CompletionResult]::new('--project-name', '--project-name', [CompletionResultType]::ParameterName, 'Name the stack otherwise than its file does')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'Print the result for people, or as one JSON document')
            [CompletionResult]::new('--target', '--target', [CompletionResultType]::ParameterName, 'Say what an export would change, too')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Use colour')
            [CompletionResult]::new('-C', '-C ', [CompletionResultType]::ParameterName, 'Work in another folder')
            [CompletionResult]::new('--directory', '--directory', [CompletionResultType]::ParameterName, 'Work in another folder')
            [CompletionResult]::new('-H', '-H ', [CompletionResultType]::ParameterName, 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`')
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but warnings and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but warnings and errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'motif;schema' {
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Use colour')
            [CompletionResult]::new('-C', '-C ', [CompletionResultType]::ParameterName, 'Work in another folder')
            [CompletionResult]::new('--directory', '--directory', [CompletionResultType]::ParameterName, 'Work in another folder')
            [CompletionResult]::new('-H', '-H ', [CompletionResultType]::ParameterName, 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`')
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but warnings and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but warnings and errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'motif;up' {
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'Read this stack instead of `stack.yaml`')
            [CompletionResult]::new('--file', '--file', [CompletionResultType]::ParameterName, 'Read this stack instead of `stack.yaml`')
            [CompletionResult]::new('--set', '--set', [CompletionResultType]::ParameterName, 'Give a parameter of the stack a value; may be repeated')
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Name the stack otherwise than its file does')
            [CompletionResult]::new('--project-name', '--project-name', [CompletionResultType]::ParameterName, 'Name the stack otherwise than its file does')
            [CompletionResult]::new('--wait-timeout', '--wait-timeout', [CompletionResultType]::ParameterName, 'How long --wait waits')
            [CompletionResult]::new('--builder', '--builder', [CompletionResultType]::ParameterName, 'What builds images [default: BuildKit where the engine has it]')
            [CompletionResult]::new('--scale', '--scale', [CompletionResultType]::ParameterName, 'Run another number of replicas of a pod')
            [CompletionResult]::new('--remove-orphans', '--remove-orphans', [CompletionResultType]::ParameterName, 'Remove containers that the stack has no more')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'The form of what is printed at the end')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Use colour')
            [CompletionResult]::new('-C', '-C ', [CompletionResultType]::ParameterName, 'Work in another folder')
            [CompletionResult]::new('--directory', '--directory', [CompletionResultType]::ParameterName, 'Work in another folder')
            [CompletionResult]::new('-H', '-H ', [CompletionResultType]::ParameterName, 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`')
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`')
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'Return when the pods are started')
            [CompletionResult]::new('--detach', '--detach', [CompletionResultType]::ParameterName, 'Return when the pods are started')
            [CompletionResult]::new('--wait', '--wait', [CompletionResultType]::ParameterName, 'Return when the pods are ready; implies --detach')
            [CompletionResult]::new('--watch', '--watch', [CompletionResultType]::ParameterName, 'Build again, or copy into containers, what changes while the stack runs')
            [CompletionResult]::new('--build', '--build', [CompletionResultType]::ParameterName, 'Build images although nothing changed')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Print what would be done, and do nothing')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but warnings and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but warnings and errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'motif;scale' {
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'Read this stack instead of `stack.yaml`')
            [CompletionResult]::new('--file', '--file', [CompletionResultType]::ParameterName, 'Read this stack instead of `stack.yaml`')
            [CompletionResult]::new('--set', '--set', [CompletionResultType]::ParameterName, 'Give a parameter of the stack a value; may be repeated')
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Name the stack otherwise than its file does')
            [CompletionResult]::new('--project-name', '--project-name', [CompletionResultType]::ParameterName, 'Name the stack otherwise than its file does')
            [CompletionResult]::new('--wait-timeout', '--wait-timeout', [CompletionResultType]::ParameterName, 'How long --wait waits')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'The form of what is printed at the end')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Use colour')
            [CompletionResult]::new('-C', '-C ', [CompletionResultType]::ParameterName, 'Work in another folder')
            [CompletionResult]::new('--directory', '--directory', [CompletionResultType]::ParameterName, 'Work in another folder')
            [CompletionResult]::new('-H', '-H ', [CompletionResultType]::ParameterName, 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`')
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`')
            [CompletionResult]::new('--wait', '--wait', [CompletionResultType]::ParameterName, 'Return when the replicas are ready, not only started')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Print what would be done, and do nothing')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but warnings and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but warnings and errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'motif;verify' {
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'Read this stack instead of `stack.yaml`')
            [CompletionResult]::new('--file', '--file', [CompletionResultType]::ParameterName, 'Read this stack instead of `stack.yaml`')
            [CompletionResult]::new('--set', '--set', [CompletionResultType]::ParameterName, 'Give a parameter of the stack a value; may be repeated')
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Name the stack otherwise than its file does')
            [CompletionResult]::new('--project-name', '--project-name', [CompletionResultType]::ParameterName, 'Name the stack otherwise than its file does')
            [CompletionResult]::new('--seed', '--seed', [CompletionResultType]::ParameterName, 'Decide where chance does, as an earlier run did')
            [CompletionResult]::new('--repeat', '--repeat', [CompletionResultType]::ParameterName, 'Try each promise so often')
            [CompletionResult]::new('--wait-timeout', '--wait-timeout', [CompletionResultType]::ParameterName, 'How long the stack may take until it is ready')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'The form of the result')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Use colour')
            [CompletionResult]::new('-C', '-C ', [CompletionResultType]::ParameterName, 'Work in another folder')
            [CompletionResult]::new('--directory', '--directory', [CompletionResultType]::ParameterName, 'Work in another folder')
            [CompletionResult]::new('-H', '-H ', [CompletionResultType]::ParameterName, 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`')
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`')
            [CompletionResult]::new('--control', '--control', [CompletionResultType]::ParameterName, 'Take each promise''s mechanism out: it must break then')
            [CompletionResult]::new('--keep', '--keep', [CompletionResultType]::ParameterName, 'Leave the stack up')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Show what happens when')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Show what happens when')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but warnings and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but warnings and errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'motif;ps' {
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'Take the stack''s name from this file instead of `stack.yaml`')
            [CompletionResult]::new('--file', '--file', [CompletionResultType]::ParameterName, 'Take the stack''s name from this file instead of `stack.yaml`')
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Name the stack; then no file is needed')
            [CompletionResult]::new('--project-name', '--project-name', [CompletionResultType]::ParameterName, 'Name the stack; then no file is needed')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'Print for people, or as one JSON document with every container')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Use colour')
            [CompletionResult]::new('-C', '-C ', [CompletionResultType]::ParameterName, 'Work in another folder')
            [CompletionResult]::new('--directory', '--directory', [CompletionResultType]::ParameterName, 'Work in another folder')
            [CompletionResult]::new('-H', '-H ', [CompletionResultType]::ParameterName, 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`')
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`')
            [CompletionResult]::new('-a', '-a', [CompletionResultType]::ParameterName, 'Show replicas that ended well too')
            [CompletionResult]::new('--all', '--all', [CompletionResultType]::ParameterName, 'Show replicas that ended well too')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but warnings and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but warnings and errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'motif;top' {
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'Take the stack''s name from this file instead of `stack.yaml`')
            [CompletionResult]::new('--file', '--file', [CompletionResultType]::ParameterName, 'Take the stack''s name from this file instead of `stack.yaml`')
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Name the stack; then no file is needed')
            [CompletionResult]::new('--project-name', '--project-name', [CompletionResultType]::ParameterName, 'Name the stack; then no file is needed')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'Print for people, or as one JSON document; the latter is one look')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Use colour')
            [CompletionResult]::new('-C', '-C ', [CompletionResultType]::ParameterName, 'Work in another folder')
            [CompletionResult]::new('--directory', '--directory', [CompletionResultType]::ParameterName, 'Work in another folder')
            [CompletionResult]::new('-H', '-H ', [CompletionResultType]::ParameterName, 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`')
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`')
            [CompletionResult]::new('--once', '--once', [CompletionResultType]::ParameterName, 'Print one look and end')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but warnings and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but warnings and errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'motif;why' {
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'Take the stack''s name from this file instead of `stack.yaml`')
            [CompletionResult]::new('--file', '--file', [CompletionResultType]::ParameterName, 'Take the stack''s name from this file instead of `stack.yaml`')
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Name the stack; then no file is needed')
            [CompletionResult]::new('--project-name', '--project-name', [CompletionResultType]::ParameterName, 'Name the stack; then no file is needed')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'Print for people, or as one JSON document')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Use colour')
            [CompletionResult]::new('-C', '-C ', [CompletionResultType]::ParameterName, 'Work in another folder')
            [CompletionResult]::new('--directory', '--directory', [CompletionResultType]::ParameterName, 'Work in another folder')
            [CompletionResult]::new('-H', '-H ', [CompletionResultType]::ParameterName, 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`')
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but warnings and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but warnings and errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'motif;logs' {
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Name the stack; then no file is needed')
            [CompletionResult]::new('--project-name', '--project-name', [CompletionResultType]::ParameterName, 'Name the stack; then no file is needed')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Show only each container''s last lines')
            [CompletionResult]::new('--tail', '--tail', [CompletionResultType]::ParameterName, 'Show only each container''s last lines')
            [CompletionResult]::new('--since', '--since', [CompletionResultType]::ParameterName, 'Show lines from then on: `10m`, `1h30m` ago, or a time like `2026-01-02T03:04:05Z`')
            [CompletionResult]::new('--grep', '--grep', [CompletionResultType]::ParameterName, 'Show only lines that hold this text')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'Print for people, or as one JSON object for each line')
            [CompletionResult]::new('--file', '--file', [CompletionResultType]::ParameterName, 'Take the stack''s name from this file instead of `stack.yaml`')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Use colour')
            [CompletionResult]::new('-C', '-C ', [CompletionResultType]::ParameterName, 'Work in another folder')
            [CompletionResult]::new('--directory', '--directory', [CompletionResultType]::ParameterName, 'Work in another folder')
            [CompletionResult]::new('-H', '-H ', [CompletionResultType]::ParameterName, 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`')
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`')
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'Go on with what is written from now on, across restarts, until Ctrl-C')
            [CompletionResult]::new('--follow', '--follow', [CompletionResultType]::ParameterName, 'Go on with what is written from now on, across restarts, until Ctrl-C')
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'Put the time before each line')
            [CompletionResult]::new('--timestamps', '--timestamps', [CompletionResultType]::ParameterName, 'Put the time before each line')
            [CompletionResult]::new('--no-prefix', '--no-prefix', [CompletionResultType]::ParameterName, 'Leave the container''s name away')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but warnings and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but warnings and errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'motif;exec' {
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'Take the stack''s name from this file instead of `stack.yaml`')
            [CompletionResult]::new('--file', '--file', [CompletionResultType]::ParameterName, 'Take the stack''s name from this file instead of `stack.yaml`')
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Name the stack; then no file is needed')
            [CompletionResult]::new('--project-name', '--project-name', [CompletionResultType]::ParameterName, 'Name the stack; then no file is needed')
            [CompletionResult]::new('-u', '-u', [CompletionResultType]::ParameterName, 'Run as another user')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'Run as another user')
            [CompletionResult]::new('-w', '-w', [CompletionResultType]::ParameterName, 'Run in another folder of the container')
            [CompletionResult]::new('--workdir', '--workdir', [CompletionResultType]::ParameterName, 'Run in another folder of the container')
            [CompletionResult]::new('-e', '-e', [CompletionResultType]::ParameterName, 'Set an environment variable; may be repeated; `NAME` alone takes this process''s value')
            [CompletionResult]::new('--env', '--env', [CompletionResultType]::ParameterName, 'Set an environment variable; may be repeated; `NAME` alone takes this process''s value')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Use colour')
            [CompletionResult]::new('-C', '-C ', [CompletionResultType]::ParameterName, 'Work in another folder')
            [CompletionResult]::new('--directory', '--directory', [CompletionResultType]::ParameterName, 'Work in another folder')
            [CompletionResult]::new('-H', '-H ', [CompletionResultType]::ParameterName, 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`')
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`')
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, 'Pass standard input on; the default when it is no terminal, or both ends are one')
            [CompletionResult]::new('--interactive', '--interactive', [CompletionResultType]::ParameterName, 'Pass standard input on; the default when it is no terminal, or both ends are one')
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'Give the program a terminal; the default when both ends are one')
            [CompletionResult]::new('--tty', '--tty', [CompletionResultType]::ParameterName, 'Give the program a terminal; the default when both ends are one')
            [CompletionResult]::new('-T', '-T ', [CompletionResultType]::ParameterName, 'Give the program no terminal')
            [CompletionResult]::new('--no-tty', '--no-tty', [CompletionResultType]::ParameterName, 'Give the program no terminal')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but warnings and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but warnings and errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'motif;down' {
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'Read this stack instead of `stack.yaml`')
            [CompletionResult]::new('--file', '--file', [CompletionResultType]::ParameterName, 'Read this stack instead of `stack.yaml`')
            [CompletionResult]::new('--set', '--set', [CompletionResultType]::ParameterName, 'Give a parameter of the stack a value; may be repeated')
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Name the stack otherwise than its file does')
            [CompletionResult]::new('--project-name', '--project-name', [CompletionResultType]::ParameterName, 'Name the stack otherwise than its file does')
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'Seconds from SIGTERM to SIGKILL, instead of each pod''s own grace')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Seconds from SIGTERM to SIGKILL, instead of each pod''s own grace')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Use colour')
            [CompletionResult]::new('-C', '-C ', [CompletionResultType]::ParameterName, 'Work in another folder')
            [CompletionResult]::new('--directory', '--directory', [CompletionResultType]::ParameterName, 'Work in another folder')
            [CompletionResult]::new('-H', '-H ', [CompletionResultType]::ParameterName, 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`')
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Remove claims too')
            [CompletionResult]::new('--volumes', '--volumes', [CompletionResultType]::ParameterName, 'Remove claims too')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Print what would be done, and do nothing')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but warnings and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but warnings and errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'motif;supervise' {
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'Read this stack instead of `stack.yaml`')
            [CompletionResult]::new('--file', '--file', [CompletionResultType]::ParameterName, 'Read this stack instead of `stack.yaml`')
            [CompletionResult]::new('--set', '--set', [CompletionResultType]::ParameterName, 'Give a parameter of the stack a value; may be repeated')
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Name the stack otherwise than its file does')
            [CompletionResult]::new('--project-name', '--project-name', [CompletionResultType]::ParameterName, 'Name the stack otherwise than its file does')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Use colour')
            [CompletionResult]::new('-C', '-C ', [CompletionResultType]::ParameterName, 'Work in another folder')
            [CompletionResult]::new('--directory', '--directory', [CompletionResultType]::ParameterName, 'Work in another folder')
            [CompletionResult]::new('-H', '-H ', [CompletionResultType]::ParameterName, 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`')
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but warnings and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but warnings and errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'motif;export' {
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Use colour')
            [CompletionResult]::new('-C', '-C ', [CompletionResultType]::ParameterName, 'Work in another folder')
            [CompletionResult]::new('--directory', '--directory', [CompletionResultType]::ParameterName, 'Work in another folder')
            [CompletionResult]::new('-H', '-H ', [CompletionResultType]::ParameterName, 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`')
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but warnings and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but warnings and errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('compose', 'compose', [CompletionResultType]::ParameterValue, 'Print the stack as a Compose file, to be run as it is')
            [CompletionResult]::new('kubernetes', 'kubernetes', [CompletionResultType]::ParameterValue, 'Print the stack as Kubernetes objects, to be applied as they are')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'motif;export;compose' {
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'Read this stack instead of `stack.yaml`')
            [CompletionResult]::new('--file', '--file', [CompletionResultType]::ParameterName, 'Read this stack instead of `stack.yaml`')
            [CompletionResult]::new('--set', '--set', [CompletionResultType]::ParameterName, 'Give a parameter of the stack a value; may be repeated')
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Name the stack otherwise than its file does')
            [CompletionResult]::new('--project-name', '--project-name', [CompletionResultType]::ParameterName, 'Name the stack otherwise than its file does')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Write into this file; `-` prints it, with paths relative to the folder of the stack')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Write into this file; `-` prints it, with paths relative to the folder of the stack')
            [CompletionResult]::new('--registry', '--registry', [CompletionResultType]::ParameterName, 'Pull built and block images from here, such as `registry.example/team`')
            [CompletionResult]::new('--tag', '--tag', [CompletionResultType]::ParameterName, 'The tag of built images')
            [CompletionResult]::new('--report', '--report', [CompletionResultType]::ParameterName, 'The form of what is said on stderr about the export')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Use colour')
            [CompletionResult]::new('-C', '-C ', [CompletionResultType]::ParameterName, 'Work in another folder')
            [CompletionResult]::new('--directory', '--directory', [CompletionResultType]::ParameterName, 'Work in another folder')
            [CompletionResult]::new('-H', '-H ', [CompletionResultType]::ParameterName, 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`')
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`')
            [CompletionResult]::new('--pin', '--pin', [CompletionResultType]::ParameterName, 'Name every image with its digest, which its registry is asked for')
            [CompletionResult]::new('--check', '--check', [CompletionResultType]::ParameterName, 'Write nothing, and fail with a diff when the file is not what the stack gives')
            [CompletionResult]::new('--strict', '--strict', [CompletionResultType]::ParameterName, 'Fail, and write nothing, when anything isn''t kept')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but warnings and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but warnings and errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'motif;export;kubernetes' {
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'Read this stack instead of `stack.yaml`')
            [CompletionResult]::new('--file', '--file', [CompletionResultType]::ParameterName, 'Read this stack instead of `stack.yaml`')
            [CompletionResult]::new('--set', '--set', [CompletionResultType]::ParameterName, 'Give a parameter of the stack a value; may be repeated')
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Name the stack otherwise than its file does')
            [CompletionResult]::new('--project-name', '--project-name', [CompletionResultType]::ParameterName, 'Name the stack otherwise than its file does')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Put every object into this namespace')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Put every object into this namespace')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Write a file for each object into a folder; `-` prints all of them')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Write a file for each object into a folder; `-` prints all of them')
            [CompletionResult]::new('--registry', '--registry', [CompletionResultType]::ParameterName, 'Pull built and block images from here, such as `registry.example/team`')
            [CompletionResult]::new('--tag', '--tag', [CompletionResultType]::ParameterName, 'The tag of built images')
            [CompletionResult]::new('--domain', '--domain', [CompletionResultType]::ParameterName, 'Give each service that is published to the world the host `SERVICE.DOMAIN`')
            [CompletionResult]::new('--gateway', '--gateway', [CompletionResultType]::ParameterName, 'Publish by routes of this gateway, NAME or NAMESPACE/NAME, instead of an Ingress')
            [CompletionResult]::new('--ingress-class', '--ingress-class', [CompletionResultType]::ParameterName, 'The class of the Ingress; default: the cluster''s own')
            [CompletionResult]::new('--sidecars', '--sidecars', [CompletionResultType]::ParameterName, 'Where sidecars stand in a pod')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'The form of the objects')
            [CompletionResult]::new('--overlay', '--overlay', [CompletionResultType]::ParameterName, 'Begin an overlay of this name beside the base, unless it is there; may be repeated')
            [CompletionResult]::new('--report', '--report', [CompletionResultType]::ParameterName, 'The form of what is said on stderr about the export')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Use colour')
            [CompletionResult]::new('-C', '-C ', [CompletionResultType]::ParameterName, 'Work in another folder')
            [CompletionResult]::new('--directory', '--directory', [CompletionResultType]::ParameterName, 'Work in another folder')
            [CompletionResult]::new('-H', '-H ', [CompletionResultType]::ParameterName, 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`')
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`')
            [CompletionResult]::new('--include-secrets', '--include-secrets', [CompletionResultType]::ParameterName, 'Write the values of secrets, too, instead of how to make them')
            [CompletionResult]::new('--pin', '--pin', [CompletionResultType]::ParameterName, 'Name every image with its digest, which its registry is asked for')
            [CompletionResult]::new('--kustomize', '--kustomize', [CompletionResultType]::ParameterName, 'Write a Kustomize base into the folder, for overlays to build upon')
            [CompletionResult]::new('--helm', '--helm', [CompletionResultType]::ParameterName, 'Write a Helm chart into the folder; the stack''s parameters are its values')
            [CompletionResult]::new('--check', '--check', [CompletionResultType]::ParameterName, 'Write nothing, and fail with a diff when the files in the folder are not what the stack gives')
            [CompletionResult]::new('--strict', '--strict', [CompletionResultType]::ParameterName, 'Fail, and write nothing, when anything isn''t kept')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but warnings and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but warnings and errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'motif;export;help' {
            [CompletionResult]::new('compose', 'compose', [CompletionResultType]::ParameterValue, 'Print the stack as a Compose file, to be run as it is')
            [CompletionResult]::new('kubernetes', 'kubernetes', [CompletionResultType]::ParameterValue, 'Print the stack as Kubernetes objects, to be applied as they are')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'motif;export;help;compose' {
            break
        }
        'motif;export;help;kubernetes' {
            break
        }
        'motif;export;help;help' {
            break
        }
        'motif;push' {
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'Read this stack instead of `stack.yaml`')
            [CompletionResult]::new('--file', '--file', [CompletionResultType]::ParameterName, 'Read this stack instead of `stack.yaml`')
            [CompletionResult]::new('--set', '--set', [CompletionResultType]::ParameterName, 'Give a parameter of the stack a value; may be repeated')
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Name the stack otherwise than its file does')
            [CompletionResult]::new('--project-name', '--project-name', [CompletionResultType]::ParameterName, 'Name the stack otherwise than its file does')
            [CompletionResult]::new('--registry', '--registry', [CompletionResultType]::ParameterName, 'Push to here, such as `registry.example/team`')
            [CompletionResult]::new('--tag', '--tag', [CompletionResultType]::ParameterName, 'The tag of built images')
            [CompletionResult]::new('--builder', '--builder', [CompletionResultType]::ParameterName, 'What builds images [default: BuildKit where the engine has it]')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'Print for people, or as one JSON document')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Use colour')
            [CompletionResult]::new('-C', '-C ', [CompletionResultType]::ParameterName, 'Work in another folder')
            [CompletionResult]::new('--directory', '--directory', [CompletionResultType]::ParameterName, 'Work in another folder')
            [CompletionResult]::new('-H', '-H ', [CompletionResultType]::ParameterName, 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`')
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`')
            [CompletionResult]::new('--build', '--build', [CompletionResultType]::ParameterName, 'Build images although nothing changed')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but warnings and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but warnings and errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'motif;import' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Write the stack into a file; its paths start from this file''s folder')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Write the stack into a file; its paths start from this file''s folder')
            [CompletionResult]::new('--from', '--from', [CompletionResultType]::ParameterName, 'What the files are; default: what they look like')
            [CompletionResult]::new('--name', '--name', [CompletionResultType]::ParameterName, 'Name the stack; default: the name that the files agree on, else their folder''s')
            [CompletionResult]::new('--report', '--report', [CompletionResultType]::ParameterName, 'The form of what is said on stderr about the import')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Use colour')
            [CompletionResult]::new('-C', '-C ', [CompletionResultType]::ParameterName, 'Work in another folder')
            [CompletionResult]::new('--directory', '--directory', [CompletionResultType]::ParameterName, 'Work in another folder')
            [CompletionResult]::new('-H', '-H ', [CompletionResultType]::ParameterName, 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`')
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`')
            [CompletionResult]::new('--force', '--force', [CompletionResultType]::ParameterName, 'Replace the file if it exists')
            [CompletionResult]::new('--strict', '--strict', [CompletionResultType]::ParameterName, 'Fail, and write nothing, when anything isn''t kept')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but warnings and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but warnings and errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'motif;inspect' {
            [CompletionResult]::new('--diff', '--diff', [CompletionResultType]::ParameterName, 'Compare the parameters of two images')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'Print for people, or as one JSON document')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Use colour')
            [CompletionResult]::new('-C', '-C ', [CompletionResultType]::ParameterName, 'Work in another folder')
            [CompletionResult]::new('--directory', '--directory', [CompletionResultType]::ParameterName, 'Work in another folder')
            [CompletionResult]::new('-H', '-H ', [CompletionResultType]::ParameterName, 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`')
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but warnings and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but warnings and errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'motif;images' {
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'Print for people, or as one JSON document')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Use colour')
            [CompletionResult]::new('-C', '-C ', [CompletionResultType]::ParameterName, 'Work in another folder')
            [CompletionResult]::new('--directory', '--directory', [CompletionResultType]::ParameterName, 'Work in another folder')
            [CompletionResult]::new('-H', '-H ', [CompletionResultType]::ParameterName, 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`')
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`')
            [CompletionResult]::new('--load', '--load', [CompletionResultType]::ParameterName, 'Load the block image and fill its volume first, so that the next `up` need not')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but warnings and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but warnings and errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'motif;prune' {
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'Print for people, or as one JSON document')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Use colour')
            [CompletionResult]::new('-C', '-C ', [CompletionResultType]::ParameterName, 'Work in another folder')
            [CompletionResult]::new('--directory', '--directory', [CompletionResultType]::ParameterName, 'Work in another folder')
            [CompletionResult]::new('-H', '-H ', [CompletionResultType]::ParameterName, 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`')
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`')
            [CompletionResult]::new('-a', '-a', [CompletionResultType]::ParameterName, 'Remove everything that no container uses, even what the next `up` would use again')
            [CompletionResult]::new('--all', '--all', [CompletionResultType]::ParameterName, 'Remove everything that no container uses, even what the next `up` would use again')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Print what would be removed, and remove nothing')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but warnings and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but warnings and errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'motif;block' {
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Use colour')
            [CompletionResult]::new('-C', '-C ', [CompletionResultType]::ParameterName, 'Work in another folder')
            [CompletionResult]::new('--directory', '--directory', [CompletionResultType]::ParameterName, 'Work in another folder')
            [CompletionResult]::new('-H', '-H ', [CompletionResultType]::ParameterName, 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`')
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but warnings and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but warnings and errors')
            break
        }
        'motif;completions' {
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Use colour')
            [CompletionResult]::new('-C', '-C ', [CompletionResultType]::ParameterName, 'Work in another folder')
            [CompletionResult]::new('--directory', '--directory', [CompletionResultType]::ParameterName, 'Work in another folder')
            [CompletionResult]::new('-H', '-H ', [CompletionResultType]::ParameterName, 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`')
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but warnings and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but warnings and errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'motif;man' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Write motif.1 and a page for every command into this folder')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Write motif.1 and a page for every command into this folder')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Use colour')
            [CompletionResult]::new('-C', '-C ', [CompletionResultType]::ParameterName, 'Work in another folder')
            [CompletionResult]::new('--directory', '--directory', [CompletionResultType]::ParameterName, 'Work in another folder')
            [CompletionResult]::new('-H', '-H ', [CompletionResultType]::ParameterName, 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`')
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but warnings and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but warnings and errors')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'motif;help' {
            [CompletionResult]::new('new', 'new', [CompletionResultType]::ParameterValue, 'Write a project from a pattern')
            [CompletionResult]::new('add', 'add', [CompletionResultType]::ParameterValue, 'Add a pattern to a pod of the stack that is there')
            [CompletionResult]::new('remove', 'remove', [CompletionResultType]::ParameterValue, 'Take away what `motif add` added to a pod')
            [CompletionResult]::new('patterns', 'patterns', [CompletionResultType]::ParameterValue, 'List the patterns, or show what one is, asks, promises and writes')
            [CompletionResult]::new('check', 'check', [CompletionResultType]::ParameterValue, 'Check a stack and report every problem at once')
            [CompletionResult]::new('schema', 'schema', [CompletionResultType]::ParameterValue, 'Print the JSON Schema of stack.yaml')
            [CompletionResult]::new('up', 'up', [CompletionResultType]::ParameterValue, 'Build, load and start the stack''s pods')
            [CompletionResult]::new('scale', 'scale', [CompletionResultType]::ParameterValue, 'Run another number of replicas of a pod')
            [CompletionResult]::new('verify', 'verify', [CompletionResultType]::ParameterValue, 'Break the stack on purpose and prove what it promises')
            [CompletionResult]::new('ps', 'ps', [CompletionResultType]::ParameterValue, 'Show the stack''s pods: what is ready, what restarts, what is published')
            [CompletionResult]::new('top', 'top', [CompletionResultType]::ParameterValue, 'Show what the stack''s pods use and serve, as it changes')
            [CompletionResult]::new('why', 'why', [CompletionResultType]::ParameterValue, 'Say why something of the stack is not as it should be')
            [CompletionResult]::new('logs', 'logs', [CompletionResultType]::ParameterValue, 'Show what the stack''s containers wrote, in the order of its time')
            [CompletionResult]::new('exec', 'exec', [CompletionResultType]::ParameterValue, 'Run a program in a container of the stack')
            [CompletionResult]::new('down', 'down', [CompletionResultType]::ParameterValue, 'Stop the stack''s pods and remove all that the stack owns')
            [CompletionResult]::new('supervise', 'supervise', [CompletionResultType]::ParameterValue, 'Keep a detached stack''s jobs: begin their runs, count them, and wait for the next due time')
            [CompletionResult]::new('export', 'export', [CompletionResultType]::ParameterValue, 'Turn the stack into the files of another system')
            [CompletionResult]::new('push', 'push', [CompletionResultType]::ParameterValue, 'Build the stack''s images, and push them and the block image to a registry')
            [CompletionResult]::new('import', 'import', [CompletionResultType]::ParameterValue, 'Make a stack of a Kubernetes manifest or a Compose file')
            [CompletionResult]::new('inspect', 'inspect', [CompletionResultType]::ParameterValue, 'Show an image''s interface: its parameters, ports, user and program')
            [CompletionResult]::new('images', 'images', [CompletionResultType]::ParameterValue, 'Show what motif keeps on the engine: block images, built images, volumes with the binary')
            [CompletionResult]::new('prune', 'prune', [CompletionResultType]::ParameterValue, 'Remove images and volumes of motif that nothing uses any more')
            [CompletionResult]::new('block', 'block', [CompletionResultType]::ParameterValue, 'Run a building block: the programs that motif puts into containers')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print the completion script of a shell')
            [CompletionResult]::new('man', 'man', [CompletionResultType]::ParameterValue, 'Print the manual page, or write one page a command')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'motif;help;new' {
            break
        }
        'motif;help;add' {
            break
        }
        'motif;help;remove' {
            break
        }
        'motif;help;patterns' {
            [CompletionResult]::new('show', 'show', [CompletionResultType]::ParameterValue, 'Show what a pattern is, asks, promises and writes')
            break
        }
        'motif;help;patterns;show' {
            break
        }
        'motif;help;check' {
            break
        }
        'motif;help;schema' {
            break
        }
        'motif;help;up' {
            break
        }
        'motif;help;scale' {
            break
        }
        'motif;help;verify' {
            break
        }
        'motif;help;ps' {
            break
        }
        'motif;help;top' {
            break
        }
        'motif;help;why' {
            break
        }
        'motif;help;logs' {
            break
        }
        'motif;help;exec' {
            break
        }
        'motif;help;down' {
            break
        }
        'motif;help;supervise' {
            break
        }
        'motif;help;export' {
            [CompletionResult]::new('compose', 'compose', [CompletionResultType]::ParameterValue, 'Print the stack as a Compose file, to be run as it is')
            [CompletionResult]::new('kubernetes', 'kubernetes', [CompletionResultType]::ParameterValue, 'Print the stack as Kubernetes objects, to be applied as they are')
            break
        }
        'motif;help;export;compose' {
            break
        }
        'motif;help;export;kubernetes' {
            break
        }
        'motif;help;push' {
            break
        }
        'motif;help;import' {
            break
        }
        'motif;help;inspect' {
            break
        }
        'motif;help;images' {
            break
        }
        'motif;help;prune' {
            break
        }
        'motif;help;block' {
            break
        }
        'motif;help;completions' {
            break
        }
        'motif;help;man' {
            break
        }
        'motif;help;help' {
            break
        }
    })

    $completions.Where{ $_.CompletionText -like "$wordToComplete*" } |
        Sort-Object -Property ListItemText
}
