import unittest

from service.config import Config, ConfigError


class ConfigTest(unittest.TestCase):
    def test_defaults(self):
        self.assertEqual(Config.from_env({}), Config("0.0.0.0", 8080, "Hello", 10.0))

    def test_an_empty_parameter_counts_as_not_set(self):
        self.assertEqual(Config.from_env({"PORT": "", "SHUTDOWN_GRACE": ""}), Config())

    def test_every_parameter_can_be_given(self):
        env = {"HOST": "127.0.0.1", "PORT": "9000", "GREETING": "Hi", "SHUTDOWN_GRACE": "500ms"}
        self.assertEqual(Config.from_env(env), Config("127.0.0.1", 9000, "Hi", 0.5))

    def test_units(self):
        for text, seconds in {"250ms": 0.25, "2s": 2, "3m": 180, "1h": 3600}.items():
            with self.subTest(text):
                self.assertEqual(Config.from_env({"SHUTDOWN_GRACE": text}).shutdown_grace, seconds)

    def test_nonsense_is_refused_by_name(self):
        wrong = [("PORT", "http"), ("PORT", "65536"), ("PORT", "-1"), ("PORT", " 80"), ("SHUTDOWN_GRACE", "10")]
        for name, value in wrong:
            with self.subTest(name=name, value=value), self.assertRaisesRegex(ConfigError, name):
                Config.from_env({name: value})
