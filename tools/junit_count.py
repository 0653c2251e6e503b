"""junit_count.py FILE: prints "PASSED FAILED" of a meson test run."""
import sys
import xml.etree.ElementTree as tree

passed = failed = 0
for suite in tree.parse(sys.argv[1]).getroot():
    bad = 0
    cases = suite.findall('testcase')
    for case in cases:
        if case.find('skipped') is not None:
            continue
        if case.find('failure') is not None or case.find('error') is not None:
            bad += 1
        else:
            passed += 1
    # A program that died says so for its suite only.
    failed += bad or int(suite.get('errors', 0)) or int(
        suite.get('failures', 0))
print(passed, failed)
