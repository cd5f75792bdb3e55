"""`calopipe kubeflow setup` and `kerberos push` with a real API server: the tests of test/kfp/kubernetes, on the node."""
import sys
import unittest

from cluster import CALOPIPE, ROOT, run

SCRIPT = ROOT / 'test/kfp/kubernetes/cluster_test.py'


@unittest.skipUnless(SCRIPT.exists(), 'this version has no calopipe kubeflow setup')
class SetupTest(unittest.TestCase):
    def test_kubeflow_setup(self):
        run(sys.executable, SCRIPT, CALOPIPE)
