"""calopipe with URLs, through the program itself, against real servers. usage: urls_test.py PATH-OF-CALOPIPE [TEST …]"""
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import h5py
import numpy

import servers

PROGRAM = None
SAMPLE = 'data/mlfastsim'
FILE = 'data/mlfastsim/SiW/SiW_angle_90.h5'
ENERGIES = [float(e) for e in range(1, 101)]
SHOWERS_OF_AN_ENERGY = 40


def write_large_file(path):
    """Four thousand showers of a hundred energies, one after another, of bytes that gzip does not shrink much."""
    random = numpy.random.default_rng(7)
    shape = (9, 16, 45)
    with h5py.File(path, 'w') as file:
        count = len(ENERGIES) * SHOWERS_OF_AN_ENERGY
        showers = file.create_dataset('showers', (count, *shape), 'f4', chunks=(10, *shape), compression='gzip',
                                      compression_opts=1, shuffle=True)
        for i, energy in enumerate(ENERGIES):
            cells = random.random((SHOWERS_OF_AN_ENERGY, *shape), 'f4')
            cells *= energy * 1000 / cells.sum(axis=(1, 2, 3), keepdims=True)
            showers[i * SHOWERS_OF_AN_ENERGY:(i + 1) * SHOWERS_OF_AN_ENERGY] = cells
        file['incident_energy'] = numpy.repeat(numpy.array(ENERGIES, 'f4') * 1000, SHOWERS_OF_AN_ENERGY)
        file['incident_theta'] = numpy.full(count, numpy.pi / 2, 'f4')
        file['incident_phi'] = numpy.zeros(count, 'f4')


class Urls(unittest.TestCase):
    """What all tests need: folders, and the program."""

    @classmethod
    def setUpClass(cls):
        if 'CALOPIPE_PYTHON' not in os.environ:
            raise unittest.SkipTest('CALOPIPE_PYTHON is not set')
        cls.class_folder = servers.temporary_folder()
        cls.addClassCleanup(shutil.rmtree, cls.class_folder, ignore_errors=True)
        cls.server_environment = {}
        cls.start_servers()

    @classmethod
    def start_servers(cls):
        pass

    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory())
        self.temporary = os.path.join(self.folder, 'tmp')
        os.mkdir(self.temporary)
        self.environment = {**os.environ, **self.server_environment, 'CALOPIPE_REMOTE_TIMEOUT_S': '20',
                            'TMPDIR': self.temporary}
        for name in ('BEARER_TOKEN', 'BEARER_TOKEN_FILE'):
            self.environment.pop(name, None)

    def path(self, name):
        return os.path.join(self.folder, name)

    def start(self, *words, **environment):
        return subprocess.Popen([PROGRAM, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                env={**self.environment, **environment})

    def calopipe(self, *words, code=0, **environment):
        process = self.start(*words, **environment)
        out, error = process.communicate(timeout=600)
        self.assertEqual(process.returncode, code, f'{words}\n{out}\n{error}')
        self.assertLessEqual(error.count('calopipe: '), 1, error)
        return out if code == 0 else error

    def inspected(self, path):
        return json.loads(self.calopipe('inspect', path, '--json').replace(path, 'PATH'))

    def few_showers(self):
        few = self.path('few.h5')
        self.calopipe('showers', 'convert', FILE, few, '--layout', 'calopipe', '--energies-gev', '64')
        return few

    def assert_same_showers(self, a, b):
        with h5py.File(a) as first, h5py.File(b) as second:
            self.assertEqual(sorted(first), sorted(second))
            for name in first:
                numpy.testing.assert_array_equal(first[name][()], second[name][()])

    def assert_nothing_kept(self):
        self.assertEqual(os.listdir(self.temporary), [])


class XrootdReading(Urls):
    @classmethod
    def start_servers(cls):
        cls.server = servers.Xrootd(cls.class_folder)
        cls.addClassCleanup(cls.server.kill)
        cls.server.put(SAMPLE, 'sample')
        cls.large = os.path.join(cls.class_folder, 'large.h5')
        write_large_file(cls.large)
        cls.server.put(cls.large, 'large.h5')

    def test_file_and_folder_are_inspected_like_local_ones(self):
        self.assertEqual(self.inspected(self.server.url('sample')), self.inspected(SAMPLE))
        self.assertEqual(self.inspected(self.server.url(FILE.removeprefix('data/mlfast').replace('sim/', 'sample/'))),
                         self.inspected(FILE))
        self.assert_nothing_kept()

    def test_selection_of_one_percent_transfers_at_most_three(self):
        relay = servers.Relay(self.server.port)
        size = os.path.getsize(self.large)
        out, local = self.path('one.h5'), self.path('local.h5')
        selection = ('--layout', 'calopipe', '--energies-gev', '37')
        self.calopipe('showers', 'convert', self.server.url('large.h5', relay.port), out, *selection)
        relay.close()
        self.calopipe('showers', 'convert', self.large, local, *selection)
        self.assert_same_showers(out, local)
        with h5py.File(out) as file:
            self.assertEqual(len(file['incident_energy']), SHOWERS_OF_AN_ENERGY)
        print(f'1 % of {size} bytes: {relay.bytes} bytes transferred, {100 * relay.bytes / size:.2f} %')
        self.assertGreater(relay.bytes, 0.01 * size)
        self.assertLess(relay.bytes, 0.03 * size)

    def test_whole_file_is_transferred_once(self):
        relay = servers.Relay(self.server.port)
        size = os.path.getsize(self.large)
        self.calopipe('showers', 'convert', self.server.url('large.h5', relay.port), self.path('all.h5'), '--layout',
                      'calopipe')
        relay.close()
        print(f'whole file of {size} bytes: {relay.bytes} bytes transferred, {100 * relay.bytes / size:.2f} %')
        self.assertLess(relay.bytes, 1.03 * size)

    def test_missing_file_is_an_error_of_the_input(self):
        url = self.server.url('nothing.h5')
        self.assertIn(f'{url}: does not exist', self.calopipe('inspect', url, code=3))
        error = self.calopipe('preprocess', '--showers', url, '--out', self.path('prepared'), code=3)
        self.assertIn(f'{url}: does not exist', error)

    def test_folder_without_showers(self):
        os.makedirs(os.path.join(self.server.data, 'empty'))
        self.server.give_to_user(self.server.data)
        self.assertIn('without HDF5 files', self.calopipe('inspect', self.server.url('empty'), code=3))

    def test_truncated_and_damaged_files_are_rejected(self):
        whole = open(FILE, 'rb').read()
        damaged = bytearray(whole)
        middle = len(whole) // 2
        damaged[middle:middle + 2000] = bytes(255 - b for b in damaged[middle:middle + 2000])
        for name, content in (('truncated', whole[:middle]), ('damaged', bytes(damaged)), ('text', b'no showers')):
            with open(self.path(name), 'wb') as file:
                file.write(content)
            self.server.put(self.path(name), f'{name}/SiW_angle_90.h5')
            url = self.server.url(f'{name}/SiW_angle_90.h5')
            self.assertIn(url + ': ', self.calopipe('inspect', url, code=3))

    def test_server_that_is_down_is_named(self):
        port = servers.free_port()
        url = self.server.url('large.h5', port)
        error = self.calopipe('inspect', url, code=4, CALOPIPE_REMOTE_TIMEOUT_S='2')
        self.assertIn(url + ': cannot be ', error)
        self.assertIn('whether the server is up', error)

    def test_server_that_ends_while_it_is_read_ends_the_program_with_one_error(self):
        relay = servers.Relay(self.server.port)
        relay.stop_after = os.path.getsize(self.large) // 3
        relay.on_stop = lambda: (relay.close(), self.server.kill())
        url = self.server.url('large.h5', relay.port)
        try:
            error = self.calopipe('showers', 'convert', url, self.path('out.h5'), '--layout', 'calopipe', code=4,
                                  CALOPIPE_REMOTE_TIMEOUT_S='3')
        finally:
            self.server.start()
        self.assertIn(url + ': cannot be read: ', error)
        self.assertFalse(os.path.exists(self.path('out.h5')))

    def test_server_that_starts_again_is_read_on(self):
        local = self.path('local.h5')
        self.calopipe('showers', 'convert', self.large, local, '--layout', 'calopipe')
        relay = servers.Relay(self.server.port)
        relay.stop_after = os.path.getsize(self.large) // 3

        def restart():
            self.server.kill()
            threading.Timer(1, self.server.start).start()
        relay.on_stop = restart
        self.calopipe('showers', 'convert', self.server.url('large.h5', relay.port), self.path('out.h5'), '--layout',
                      'calopipe')
        self.assertIsNone(relay.stop_after)
        self.assert_same_showers(self.path('out.h5'), local)

    def test_prepared_showers_are_trained_on_and_models_are_used(self):
        prepared, trained = self.path('prepared'), self.path('trained')
        self.server.put(self.few_showers(), 'few.h5')
        self.calopipe('preprocess', '--showers', self.server.url('few.h5'), '--out', prepared)
        self.server.put(prepared, 'prepared')
        self.calopipe('train', '--prepared', self.server.url('prepared'), '--epochs', '1', '--out', trained)
        self.server.put(trained, 'trained')
        model = self.server.url('trained/model')
        wanted = ('--geometry', 'SiW', '--energy-gev', '64', '--events', '5')
        self.calopipe('generate', '--model', os.path.join(trained, 'model'), *wanted, '--out', self.path('local.h5'))
        self.calopipe('generate', '--model', model, *wanted, '--out', self.path('remote.h5'))
        with open(self.path('local.h5'), 'rb') as a, open(self.path('remote.h5'), 'rb') as b:
            self.assertEqual(a.read(), b.read())
        # Errors name the URL, not the copy of the model.
        error = self.calopipe('generate', '--model', self.server.url('prepared'), *wanted, '--out', self.path('x.h5'),
                              code=3)
        self.assertIn(self.server.url('prepared'), error)
        self.assertNotIn(self.temporary, error)
        self.assert_nothing_kept()

    def test_the_client_is_loaded_only_for_its_urls(self):
        def libraries(*words):
            traced = subprocess.run([PROGRAM, *words], env={**self.environment, 'LD_DEBUG': 'files'},
                                    capture_output=True, text=True, check=True)
            # Those of sanitizers are no part of the program.
            return {name for name in re.findall(r'calling init: (\S+)', traced.stderr) if not re.search(r'lib[a-z]+san\.so', name)}
        self.assertLessEqual(len(libraries('--version')), 18)
        self.assertFalse([name for name in libraries('inspect', FILE) if 'Xrd' in name or 'curl' in name])
        self.assertTrue([name for name in libraries('inspect', self.server.url('sample')) if 'libXrdCl' in name])

    def test_missing_library_of_the_client_says_what_to_do(self):
        error = self.calopipe('inspect', self.server.url('sample'), code=4, CALOPIPE_XROOTD_MODULE='/no/such.so')
        self.assertIn('libxrootd-client-dev', error)

    def test_unknown_schemes_and_bad_urls_are_mistakes_of_usage(self):
        self.assertIn('unknown scheme "ftp"', self.calopipe('inspect', 'ftp://somewhere/x.h5', code=2))
        self.assertIn('root://SERVER', self.calopipe('inspect', 'root:///x.h5', code=2))
        self.assertIn('CALOPIPE_REMOTE_TIMEOUT_S', self.calopipe('inspect', self.server.url('sample'), code=2,
                                                                 CALOPIPE_REMOTE_TIMEOUT_S='soon'))


class XrootdWriting(Urls):
    @classmethod
    def start_servers(cls):
        cls.server = servers.Xrootd(cls.class_folder)
        cls.addClassCleanup(cls.server.kill)

    def on_server(self, name=''):
        return os.path.join(self.server.data, name)

    def all_on_server(self):
        return sorted(os.path.relpath(path, self.server.data)
                      for path in glob.glob(self.server.data + '/**', recursive=True, include_hidden=True)
                      if os.path.isfile(path))

    def setUp(self):
        super().setUp()
        shutil.rmtree(self.server.data)
        os.mkdir(self.server.data)
        self.server.give_to_user(self.server.data)

    def convert(self, out, **options):
        return self.calopipe('showers', 'convert', FILE, out, '--layout', 'par04', **options)

    def test_files_are_written_and_replaced(self):
        url = self.server.url('new/folder/out.h5')
        self.convert(self.path('local.h5'))
        for _ in range(2):
            self.assertIn(url, self.convert(url))
            with open(self.path('local.h5'), 'rb') as a, open(self.on_server('new/folder/out.h5'), 'rb') as b:
                self.assertEqual(a.read(), b.read())
            self.assertEqual(self.all_on_server(), ['new/folder/out.h5'])
        self.assert_nothing_kept()

    def test_folders_are_written_and_replaced(self):
        url = self.server.url('prepared')
        self.calopipe('preprocess', '--showers', FILE, '--out', self.path('prepared'))
        wanted = sorted('prepared/' + name for name in os.listdir(self.path('prepared')))
        os.makedirs(self.on_server('prepared'))
        with open(self.on_server('prepared/old.txt'), 'w') as old:
            old.write('of an older output')
        self.server.give_to_user(self.server.data)
        self.calopipe('preprocess', '--showers', FILE, '--out', url)
        self.assertEqual(self.all_on_server(), wanted)
        for name in wanted:
            with open(self.path(name), 'rb') as a, open(self.on_server(name), 'rb') as b:
                self.assertEqual(a.read(), b.read(), name)

    def test_a_component_with_several_outputs(self):
        prepared = self.path('prepared')
        self.calopipe('preprocess', '--showers', self.few_showers(), '--out', prepared)
        out = self.calopipe('train', '--prepared', prepared, '--epochs', '1', '--out', self.server.url('trained'))
        self.assertIn('model: ' + self.server.url('trained/model'), out)
        written = self.all_on_server()
        for name in ('trained/model/model.json', 'trained/model/weights.h5', 'trained/training.json',
                     'trained/logs/metrics.jsonl'):
            self.assertIn(name, written)
        self.assertFalse([name for name in written if 'partial' in name])

    def test_a_local_pipeline_delivers_to_a_url(self):
        self.server.put(self.few_showers(), 'few.h5')
        self.calopipe('run', '--config', 'data/demo.yaml', '--set', 'train.epochs=1', '--set',
                      'validate.classifiers=features', '--set', 'validate.replicas=2', '--set',
                      'input-parameters.data=' + self.server.url('few.h5'), '--out', self.server.url('products'),
                      '--store', self.path('store'))
        written = self.all_on_server()
        self.assertIn('products/report.html', written)
        self.assertIn('products/model/model.json', written)
        self.assertFalse(os.path.exists('root:'))

    def test_kind_of_an_older_output_must_be_the_same(self):
        os.makedirs(self.on_server('out.h5'))
        self.server.give_to_user(self.server.data)
        self.assertIn('is a folder, but the output is a file', self.convert(self.server.url('out.h5'), code=2))

    def test_no_permission_is_reported_before_the_work(self):
        os.makedirs(self.on_server('closed'))
        self.server.give_to_user(self.server.data)
        os.chmod(self.on_server('closed'), 0o500)
        url = self.server.url('closed/out.h5')
        error = self.convert(url, code=4)
        self.assertIn(url + ': cannot be written: ', error)
        self.assertIn('kinit', error)
        self.assert_nothing_kept()

    def test_full_disk_keeps_the_output_here(self):
        folder = servers.temporary_folder()
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        if subprocess.run(['unshare', '-m', 'mount', '-t', 'tmpfs', 'none', folder], check=False).returncode != 0:
            self.skipTest('a disk of its own needs root')
        server = servers.Xrootd(folder, disk='1m')
        self.addCleanup(server.kill)
        self.convert(self.path('local.h5'))
        self.assertGreater(os.path.getsize(self.path('local.h5')), 1 << 20)
        url = server.url('out.h5')
        error = self.convert(url, code=4)
        self.assertIn(url + ': cannot be written: ', error)
        self.assertIn('more space', error)
        kept = re.search(r'the complete output is kept in (\S+out\.h5)', error)[1]
        with open(self.path('local.h5'), 'rb') as a, open(kept, 'rb') as b:
            self.assertEqual(a.read(), b.read())
        listed = subprocess.run(['xrdfs', f'127.0.0.1:{server.port}', 'ls', '/'], capture_output=True, text=True,
                                check=True)
        self.assertEqual(listed.stdout, '')

    def test_server_that_ends_while_it_is_written_keeps_the_output_here(self):
        relay = servers.Relay(self.server.port)
        url = self.server.url('out.h5', relay.port)

        def kill_at_first_byte():
            while not any(os.path.getsize(path) for path in glob.glob(self.on_server('.out*'), include_hidden=True)):
                time.sleep(0.001)
            self.server.kill()
            relay.close()
        killer = threading.Thread(target=kill_at_first_byte)
        killer.start()
        try:
            error = self.convert(url, code=4, CALOPIPE_REMOTE_TIMEOUT_S='3')
        finally:
            killer.join()
            self.server.start()
        self.assertIn(url + ': cannot be written: ', error)
        kept = re.search(r'the complete output is kept in (\S+out\.h5)', error)[1]
        self.convert(self.path('local.h5'))
        with open(self.path('local.h5'), 'rb') as a, open(kept, 'rb') as b:
            self.assertEqual(a.read(), b.read())
        self.assertNotIn('out.h5', self.all_on_server())

    def test_server_that_starts_again_is_written_on(self):
        relay = servers.Relay(self.server.port)

        def restart_at_first_byte():
            while not any(os.path.getsize(path) for path in glob.glob(self.on_server('.out*'), include_hidden=True)):
                time.sleep(0.001)
            self.server.kill()
            time.sleep(1)
            self.server.start()
        restarter = threading.Thread(target=restart_at_first_byte)
        restarter.start()
        self.convert(self.server.url('out.h5', relay.port))
        restarter.join()
        relay.close()
        self.convert(self.path('local.h5'))
        with open(self.path('local.h5'), 'rb') as a, open(self.on_server('out.h5'), 'rb') as b:
            self.assertEqual(a.read(), b.read())

    def test_wrong_checksum_keeps_the_output_here(self):
        folder = servers.temporary_folder()
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        program = os.path.join(folder, 'wrong.sh')
        with open(program, 'w') as file:
            file.write('#!/bin/sh\necho 00000bad\n')
        os.chmod(program, 0o755)
        server = servers.Xrootd(folder, checksum_program=program)
        self.addCleanup(server.kill)
        url = server.url('out.h5')
        error = self.convert(url, code=4, CALOPIPE_REMOTE_TIMEOUT_S='2')
        self.assertIn(url + ': cannot be written: ', error)
        self.assertIn('00000bad', error)
        self.assertTrue(os.path.exists(re.search(r'the complete output is kept in (\S+out\.h5)', error)[1]))
        self.assertEqual(os.listdir(server.data), [])

    def test_interruption_while_it_is_written(self):
        process = self.start('showers', 'convert', FILE, self.server.url('out.h5'), '--layout', 'par04')
        while not any(os.path.getsize(path) for path in glob.glob(self.on_server('.out*'), include_hidden=True)):
            time.sleep(0.001)
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
        if process.returncode == 0:
            self.skipTest('the last byte was sent before')
        self.assertEqual(process.returncode, 130, error)
        self.assertIn('the complete output is kept in', error)
        self.assertEqual(self.all_on_server(), [])

    def test_killed_program_leaves_nothing_under_the_final_name(self):
        process = self.start('showers', 'convert', FILE, self.server.url('out.h5'), '--layout', 'par04')
        while not glob.glob(self.on_server('.out*'), include_hidden=True) and process.poll() is None:
            time.sleep(0.001)
        process.kill()
        process.communicate()
        self.assertEqual(process.returncode, -signal.SIGKILL)
        self.assertNotIn('out.h5', self.all_on_server())

    def test_server_without_checksums_is_read_back(self):
        folder = servers.temporary_folder()
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        server = servers.Xrootd(folder, checksums=False)
        self.addCleanup(server.kill)
        relay = servers.Relay(server.port)
        self.convert(server.url('out.h5', relay.port))
        self.assertGreater(relay.bytes, os.path.getsize(os.path.join(server.data, 'out.h5')))


class Kerberos(Urls):
    @classmethod
    def start_servers(cls):
        folders = [os.path.join(cls.class_folder, name) for name in ('kdc', 'server')]
        for folder in folders:
            os.mkdir(folder)
        cls.kdc = servers.Kdc(folders[0])
        cls.addClassCleanup(cls.kdc.kill)
        shutil.copy(cls.kdc.keytab, folders[1])
        cls.server = servers.Xrootd(folders[1], os.path.join(folders[1], 'service.keytab'), cls.kdc.principal,
                                    {'KRB5_CONFIG': cls.kdc.environment['KRB5_CONFIG']})
        cls.addClassCleanup(cls.server.kill)
        cls.server.put(FILE, 'SiW_angle_90.h5')
        cls.server_environment = cls.kdc.environment

    def setUp(self):
        super().setUp()
        self.kdc.kdestroy()

    def test_ticket_opens_and_its_absence_is_explained(self):
        url = self.server.url('SiW_angle_90.h5')
        error = self.calopipe('inspect', url, code=4)
        self.assertIn(url + ': cannot be ', error)
        self.assertIn('kinit', error)
        self.kdc.kinit()
        self.assertEqual(self.inspected(url), self.inspected(FILE))
        self.calopipe('showers', 'convert', url, self.server.url('out.h5'), '--layout', 'par04')
        self.assertTrue(os.path.exists(os.path.join(self.server.data, 'out.h5')))

    def test_expired_ticket_is_explained(self):
        self.kdc.kinit('2s')
        time.sleep(3)
        url = self.server.url('SiW_angle_90.h5')
        error = self.calopipe('inspect', url, code=4)
        self.assertIn(url + ': cannot be ', error)
        self.assertIn('kinit', error)
        error = self.calopipe('showers', 'convert', FILE, self.server.url('late.h5'), '--layout', 'par04', code=4)
        self.assertIn('kinit', error)
        self.assertFalse(os.path.exists(os.path.join(self.server.data, 'late.h5')))


class Https(Urls):
    def serve(self, folder, **options):
        server = servers.Web(folder, **options)
        self.addCleanup(server.close)
        return server

    def test_file_and_webdav_folder_are_inspected_like_local_ones(self):
        server = self.serve('data')
        self.assertEqual(self.inspected(server.url('mlfastsim')), self.inspected(SAMPLE))
        self.assertEqual(self.inspected(server.url('mlfastsim/SiW/SiW_angle_90.h5')), self.inspected(FILE))

    def test_selection_of_one_percent_transfers_at_most_three(self):
        large = self.path('large.h5')
        write_large_file(large)
        server = self.serve(self.folder)
        self.calopipe('showers', 'convert', server.url('large.h5'), self.path('one.h5'), '--layout', 'calopipe',
                      '--energies-gev', '37')
        print(f'1 % of {os.path.getsize(large)} bytes: {server.bytes} bytes sent')
        self.assertLess(server.bytes, 0.03 * os.path.getsize(large))

    def test_plain_server_and_signed_urls(self):
        server = self.serve('data', webdav=False)
        url = server.url('mlfastsim/SiW/SiW_angle_90.h5')
        self.assertEqual(self.inspected(url), self.inspected(FILE))
        out = self.calopipe('inspect', url + '?signature=geheim-7391')
        self.assertNotIn('geheim', out)
        error = self.calopipe('inspect', server.url('nothing.h5?signature=geheim-7391'), code=3)
        self.assertIn('nothing.h5: does not exist', error)
        self.assertNotIn('geheim', error)
        self.assertFalse([r for r in server.requests if r[0] == 'PROPFIND' and '?' in r[1]])

    def test_token_is_found_and_its_absence_is_explained(self):
        server = self.serve('data', token='geheim-7391')
        url = server.url('mlfastsim/SiW/SiW_angle_90.h5')
        error = self.calopipe('inspect', url, code=4)
        self.assertIn('BEARER_TOKEN_FILE', error)
        with open(self.path('token'), 'w') as token:
            token.write('geheim-7391\n')
        self.calopipe('inspect', url, BEARER_TOKEN_FILE=self.path('token'))
        error = self.calopipe('inspect', url, code=4, BEARER_TOKEN='falsch-1234')
        self.assertNotIn('falsch', error)

    def test_faults_of_the_server_are_survived(self):
        server = self.serve('data')
        server.faults = [503, 0, 500, 429, 0]
        self.assertEqual(self.inspected(server.url('mlfastsim/SiW/SiW_angle_90.h5')), self.inspected(FILE))
        self.assertEqual(server.faults, [])

    def test_server_without_ranges_and_missing_files(self):
        server = self.serve('data', webdav=False, ranges=False)
        url = server.url('mlfastsim/SiW/SiW_angle_90.h5')
        self.assertIn('download it', self.calopipe('inspect', url, code=4))
        self.assertIn('does not exist', self.calopipe('inspect', server.url('nothing.h5'), code=3))

    def test_outputs_are_refused(self):
        server = self.serve('data')
        error = self.calopipe('showers', 'convert', FILE, server.url('out.h5'), '--layout', 'par04', code=2)
        self.assertIn('can only be read', error)

    def test_certificates_are_checked(self):
        certificate = servers.make_certificate(self.folder)
        server = self.serve('data', certificate=certificate, token='geheim-7391')
        url = server.url('mlfastsim/SiW/SiW_angle_90.h5')
        error = self.calopipe('inspect', url, code=4, BEARER_TOKEN='geheim-7391')
        self.assertIn(url + ': cannot be ', error)
        self.assertIn('not trusted', error)
        self.assertEqual(server.requests, [])
        self.environment.update(SSL_CERT_FILE=certificate[0], BEARER_TOKEN='geheim-7391')
        self.assertEqual(self.inspected(url), self.inspected(FILE))

    def test_tokens_are_not_sent_in_plain_text(self):
        server = self.serve('data')
        url = server.url('mlfastsim/SiW/SiW_angle_90.h5').replace('127.0.0.1', 'localhost')
        self.calopipe('inspect', url, BEARER_TOKEN='geheim-7391')
        self.assertFalse([headers for _, _, headers in server.requests if 'Authorization' in headers])


class S3(Urls):
    @classmethod
    def start_servers(cls):
        cls.server = servers.S3(cls.class_folder)
        cls.addClassCleanup(cls.server.kill)
        cls.server_environment = cls.server.environment
        for folder, _, names in os.walk(SAMPLE):
            for name in names:
                path = os.path.join(folder, name)
                cls.server.client.upload_file(path, 'showers', os.path.relpath(path, 'data'))

    def keys(self, prefix):
        listed = self.server.client.list_objects_v2(Bucket='showers', Prefix=prefix)
        return [item['Key'] for item in listed.get('Contents', [])]

    def test_file_and_folder_are_inspected_like_local_ones(self):
        self.assertEqual(self.inspected('s3://showers/mlfastsim'), self.inspected(SAMPLE))
        self.assertEqual(self.inspected('s3://showers/mlfastsim/SiW/SiW_angle_90.h5'), self.inspected(FILE))

    def test_files_and_folders_are_written_and_replaced(self):
        self.calopipe('showers', 'convert', FILE, self.path('local.h5'), '--layout', 'par04')
        url = 's3://showers/out/a b+c.h5'
        self.calopipe('showers', 'convert', FILE, url, '--layout', 'par04')
        body = self.server.client.get_object(Bucket='showers', Key='out/a b+c.h5')['Body'].read()
        with open(self.path('local.h5'), 'rb') as local:
            self.assertEqual(local.read(), body)
        self.assertEqual(self.inspected(url), self.inspected(self.path('local.h5')))
        self.server.client.put_object(Bucket='showers', Key='prepared/old.txt', Body=b'of an older output')
        self.calopipe('preprocess', '--showers', FILE, '--out', 's3://showers/prepared')
        self.calopipe('preprocess', '--showers', FILE, '--out', self.path('prepared'))
        self.assertEqual(self.keys('prepared/'),
                         sorted('prepared/' + name for name in os.listdir(self.path('prepared'))))
        self.assertEqual(self.inspected('s3://showers/out'), self.inspected_folder_of(url))
        uploads = self.server.client.list_multipart_uploads(Bucket='showers')
        self.assertEqual(uploads.get('Uploads', []), [])

    def inspected_folder_of(self, url):
        return json.loads(self.calopipe('inspect', url, '--json').replace(url, 'PATH'))

    def test_profile_gives_the_login(self):
        with open(self.path('credentials'), 'w') as file:
            file.write('[default]\naws_access_key_id = other\n[cern]\naws_access_key_id = test\n'
                       'aws_secret_access_key = secret\n')
        environment = {'AWS_ACCESS_KEY_ID': '', 'AWS_SECRET_ACCESS_KEY': '', 'AWS_PROFILE': 'cern',
                       'AWS_SHARED_CREDENTIALS_FILE': self.path('credentials')}
        self.calopipe('inspect', 's3://showers/mlfastsim', **environment)
        environment['AWS_PROFILE'] = 'nobody'
        self.assertIn('"nobody"', self.calopipe('inspect', 's3://showers/mlfastsim', code=2, **environment))

    def test_missing_key_and_bucket(self):
        self.assertIn('does not exist', self.calopipe('inspect', 's3://showers/nothing.h5', code=3))
        self.assertIn('does not exist', self.calopipe('inspect', 's3://no-such-bucket/nothing.h5', code=3))
        self.assertIn('names no bucket', self.calopipe('inspect', 's3://', code=2))

    def test_server_that_is_down_keeps_the_output_here(self):
        folder = self.path('s3')
        os.mkdir(folder)
        server = servers.S3(folder)
        relay = servers.Relay(server.port)
        environment = {'AWS_ENDPOINT_URL': f'http://127.0.0.1:{relay.port}', 'CALOPIPE_REMOTE_TIMEOUT_S': '2'}

        def kill_after_beginning():
            while not server.client.list_multipart_uploads(Bucket='showers').get('Uploads'):
                time.sleep(0.005)
            server.kill()
            relay.close()
        killer = threading.Thread(target=kill_after_beginning)
        killer.start()
        error = self.calopipe('showers', 'convert', SAMPLE, 's3://showers/out.h5', '--layout', 'calopipe', code=4,
                              **environment)
        killer.join()
        self.assertIn('s3://showers/out.h5: cannot be written: ', error)
        self.assertIn('the complete output is kept in', error)


if __name__ == '__main__':
    PROGRAM = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=2)
