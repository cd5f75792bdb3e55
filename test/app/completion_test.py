"""Completions of commands in real shells. usage: completion_test.py PATH-OF-CALOPIPE"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

PROGRAM = None
PIPELINE = """
pipelineInfo: {name: small}
schemaVersion: 2.1.0
components: {comp-a: {executorLabel: exec-a}}
deploymentSpec: {executors: {exec-a: {container: {image: none, command: ['true']}}}}
root: {dag: {tasks: {a: {componentRef: {name: comp-a}, taskInfo: {name: a}}}}}
"""


class Completion(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        contexts = self.folder / 'config/calopipe/contexts.yaml'
        contexts.parent.mkdir(parents=True)
        contexts.write_text('cern: {server: http://localhost:1}\ncluster: {server: http://localhost:2}\n')
        (self.folder / 'showers.h5').touch()
        (self.folder / 'bin').mkdir()
        (self.folder / 'bin/calopipe').symlink_to(PROGRAM)
        self.environment = {**os.environ, 'HOME': str(self.folder), 'XDG_CONFIG_HOME': str(self.folder / 'config'),
                            'XDG_DATA_HOME': str(self.folder / 'data'), 'PATH': f'{self.folder}/bin:{os.environ["PATH"]}'}
        self.environment.pop('CALOPIPE_STORE', None)

    def run_in(self, *command):
        done = subprocess.run(command, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ''), command)
        return done.stdout.split()

    def bash(self, *words):
        quoted = ' '.join(f"'{word}'" for word in ('calopipe', *words))
        return self.run_in('bash', '--norc', '-c', 'source <(calopipe completion bash); '
                           f'COMP_WORDS=({quoted}); COMP_CWORD={len(words)}; _calopipe calopipe; printf "%s\\n" "${{COMPREPLY[@]}}"')

    def fish(self, *words):
        line = ' '.join(('calopipe', *words))
        return [word.split('\t')[0] for word in
                self.run_in('fish', '-c', f'calopipe completion fish | source; complete -C "{line}"')]

    def zsh(self, *words):
        """The words that compadd and _files would get: completion itself needs a terminal."""
        quoted = ' '.join(f"'{word}'" for word in ('calopipe', *words))
        return self.run_in('zsh', '-f', '-c', 'compdef() { :; }; source <(calopipe completion zsh); compadd() { shift; print -l -- "$@"; }; '
                           f'_files() {{ print -l -- *; }}; words=({quoted}); CURRENT={len(words) + 1}; _calopipe; true')

    def in_all(self, expected, *words):
        for shell in (self.bash, self.fish, self.zsh):
            with self.subTest(shell=shell.__name__, words=words):
                self.assertEqual(sorted(shell(*words)), sorted(expected))

    def test_commands_and_options(self):
        self.in_all(['tune', 'train'], 't')
        self.in_all(['archive', 'attach'], 'kubeflow', 'run', 'a')
        self.in_all(['--tail'], 'runs', 'logs', '--ta')
        self.in_all(['--epochs'], 'model-parameters', '--epo')
        self.in_all([], 'no-such-command', '--epo')

    def test_values(self):
        self.in_all(['cern', 'cluster'], 'run', '--on', 'c')
        self.in_all(['cern'], 'kubeflow', 'context', 'use', 'ce')
        self.in_all(['cern'], 'kubeflow', 'run', 'list', '--context', 'ce')
        self.in_all(['bash'], 'completion', 'b')
        self.in_all(['FAILED'], 'kubeflow', 'run', 'list', '--state', 'F')

    def test_runs(self):
        self.in_all([], 'runs', 'show', 'l')
        pipeline = self.folder / 'pipeline.yaml'
        pipeline.write_text(PIPELINE)
        run = json.loads(subprocess.run([PROGRAM, 'run', pipeline, '-q', '--json'], cwd=self.folder, env=self.environment,
                                        capture_output=True, check=True).stdout)['run']
        self.in_all(['latest'], 'runs', 'show', 'l')
        self.in_all([run], 'runs', 'logs', run[:8])

    def test_files(self):
        self.assertEqual(self.fish('inspect', 'sho'), ['showers.h5'])
        self.assertIn('showers.h5', self.zsh('inspect', 'sho'))
        # Bash itself adds files, if the option is set.
        self.assertEqual(subprocess.run([PROGRAM, '__complete', '--', 'inspect', 'sho'], capture_output=True, text=True, check=True).stdout,
                         ':files\n')

    def test_a_broken_file_of_contexts_completes_nothing(self):
        (self.folder / 'config/calopipe/contexts.yaml').write_text(': [')
        self.in_all([], 'run', '--on', 'c')


if __name__ == '__main__':
    PROGRAM = os.path.abspath(sys.argv.pop(1))
    for shell in ('bash', 'fish', 'zsh'):
        if not shutil.which(shell):
            sys.exit(f'{shell} is missing: scripts/setup.sh test')
    unittest.main()
