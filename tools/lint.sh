#!/bin/bash
# lint.sh BUILD: what can be said about the tree without running it, as TAP.
# The dependency law and its headers are a unit test: tests/unit/law.
set -u
cd "$(dirname "$0")/.." || exit 1
build=$1
number=0
failed=0

# ok CLAIM COMMAND...: the command prints what is wrong
ok() {
    local claim=$1 said
    shift
    number=$((number + 1))
    if said=$("$@" 2>&1) && [ -z "$said" ]; then
        echo "ok $number - $claim"
    else
        failed=1
        echo "not ok $number - $claim"
        echo "$said" | head -60 | sed 's/^/# /'
    fi
}

# Formatters and checkers change their minds between versions: Debian 12's
# judge, others are skipped.
judge() {
    "$1" --version | grep -q 'version 14\.' && return
    number=$((number + 1))
    echo "ok $number # SKIP $1 is not version 14"
    return 1
}

# tests/bench/peers is kept as it was measured.
own_files() { git ls-files "$@" ':!tests/bench/peers'; }

# Sources only: headers may lay out tables by hand.
is_formatted() {
    own_files '*.c' | xargs -r clang-format --dry-run --ferror-limit=3 2>&1 |
        grep 'warning:\|error:'
    return 0
}

is_tidy() {
    python3 - "$build" <<'PYTHON' |
import json, os, sys
build = os.path.abspath(sys.argv[1])
for unit in json.load(open(build + '/compile_commands.json')):
    path = os.path.normpath(os.path.join(unit['directory'], unit['file']))
    if '/src/' in path and '/tests/' not in path:
        print(path)
PYTHON
        xargs -r -P "${JOBS:-$(nproc)}" -n 4 \
            clang-tidy -p "$build" --quiet 2>/dev/null |
        grep -E ': (warning|error):' | sort -u
    return 0
}

# They are no part of the default build.
measuring_programs_build() {
    ninja -C "$build" measuring 2>&1 | grep -E 'error:|warning:'
    return 0
}

# Every file and function that a page of this tree names is there: `src/x/y.c`,
# `x/y.h` below src, `name()`.
documents_name_what_exists() {
    python3 - <<'PYTHON'
import os, re, subprocess
source = ''
for name in subprocess.run(['git', 'ls-files', 'src'], text=True,
                           capture_output=True).stdout.split():
    if name.endswith(('.c', '.h')):
        source += open(name).read()
layers = set(os.listdir('src'))
roots = {'src', 'tests', 'docs', 'tools', 'api', 'web', 'deploy', '.ci'}
pages = ['ARCHITECTURE.md', 'CONTRIBUTING.md', 'README.md']
if os.path.isdir('docs/internals'):
    pages += ['docs/internals/' + p for p in os.listdir('docs/internals')]
for page in pages:
    if not os.path.exists(page):
        continue
    text = re.sub(r'^```.*?^```', '', open(page).read(), flags=re.S | re.M)
    for span in re.findall(r'`([^`\n]+)`', text):
        if re.search(r'[A-Z]{4}|thing', span):
            continue    # stands for any name
        if re.fullmatch(r'[\w./-]+', span) and '/' in span:
            first = span.split('/')[0]
            if first in roots and not os.path.exists(span):
                print(f'{page}: no {span}')
            elif (first in layers and re.search(r'\.[ch]$', span)
                  and not os.path.exists('src/' + span)):
                print(f'{page}: no src/{span}')
        called = re.fullmatch(r'([a-z]\w*)\(\)', span)
        if called and not re.search(rf'\b{called[1]}\(', source):
            print(f'{page}: no function {called[1]}')
    for target in re.findall(r'\]\(([^)#:]+)(?:#[^)]*)?\)', text):
        if not os.path.exists(os.path.join(os.path.dirname(page), target)):
            print(f'{page}: no {target}')
PYTHON
}

lines_are_short() {
    own_files '*.c' '*.h' | python3 -c '
import sys
for path in sys.stdin.read().split():
    for number, line in enumerate(open(path, encoding="utf-8"), 1):
        if len(line) > 101:
            print(f"{path}:{number}: {len(line) - 1} columns")'
}

files_are_clean() {
    git grep -nIE '[ 	]+$' -- ':!LICENSE' ':!tests/fuzz/corpus' \
        ':!tests/vectors' ':!tests/bench/peers' ':!*.md'
    git grep -nIE '(deb|registry)[.](debian|npmjs)|/home/[a-z]' -- \
        ':!tools/lint.sh'
    return 0
}

shell_parses() {
    local file
    for file in $(git grep -lE '^#!/bin/(ba)?sh' -- ':!*.md'); do
        case $(head -1 "$file") in
        *bash) bash -n "$file" ;;
        *) sh -n "$file" ;;
        esac
    done
}

judge clang-format && ok "C sources are formatted (clang-format -i)" is_formatted
judge clang-tidy && ok "clang-tidy finds nothing" is_tidy
ok "the measuring programs build" measuring_programs_build
ok "documents name files and functions that exist" documents_name_what_exists
ok "no line of C is longer than 100 columns" lines_are_short
ok "no trailing blanks, registry hosts or home directories" files_are_clean
ok "shell scripts parse" shell_parses
echo "1..$number"
exit $failed
