"""A program of tests/bench that stays: commands in, times out."""

import subprocess

from harness import BUILD, Failed


class Driver:
    def __init__(self, w, name, *argv, env=None, log=None):
        self.w, self.name = w, log or name
        with open(w.dir / f"{self.name}.log", "ab") as log:
            self.process = subprocess.Popen([str(BUILD / "tests" / "bench" / name), *map(str, argv)],
                                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                                            env=env or w.env(BUILD_DIR=BUILD), text=True, bufsize=1)
        w.started[self.name] = self.process

    def answer(self, command):
        """Words of the answer; the first is the microseconds."""
        words = self.process.stdout.readline().split()
        if not words or words[0] != "ok":
            raise Failed(f"{self.name}, {command}: {' '.join(words)}\n{self.w.log(self.name)}")
        return words[1:]

    def tell(self, *command):
        command = " ".join(map(str, command))
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return self.answer(command)

    def ask(self, *command):
        """Milliseconds."""
        return int(self.tell(*command)[0]) / 1000

    def end(self):
        """Let it end by itself, as nobody tells it anything any more."""
        self.process.stdin.close()
        self.process.wait(60)
        self.w.started.pop(self.name)
