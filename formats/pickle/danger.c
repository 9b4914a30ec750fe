/* Names in a pickle that are ways to run code. */
#include "config.h"

#include "formats/pickle/pickle.h"

#include <string.h>

/* The whole module, and what lies below it. */
static const char *const dangerous_modules[] = {
	"_ctypes", "_pickle", "_posixsubprocess", "_thread", "asyncio", "bdb",
	"cPickle", "cProfile", "code", "codeop", "commands", "ctypes",
	"dill", "distutils", "ensurepip", "ftplib", "http", "httplib",
	"idlelib", "imp", "importlib", "joblib", "marshal", "multiprocessing",
	"nt", "ntpath", "numpy.f2py", "numpy.testing", "os", "pdb", "pickle",
	"pip", "pkgutil", "popen2", "posix", "posixpath", "profile", "pty",
	"pydoc", "requests", "runpy", "setuptools", "shelve", "shutil",
	"signal", "smtplib", "socket", "ssl", "subprocess", "sys", "tempfile",
	"threading", "timeit", "torch.hub", "torch.package", "trace", "turtle",
	"urllib", "urllib2", "venv", "webbrowser", "xmlrpc", "zipimport",
};

static const struct {
	const char *module, *name;
} dangerous_names[] = {
	{ "builtins", "__import__" },
	{ "builtins", "apply" },
	{ "builtins", "breakpoint" },
	{ "builtins", "compile" },
	{ "builtins", "delattr" },
	{ "builtins", "eval" },
	{ "builtins", "exec" },
	{ "builtins", "execfile" },
	{ "builtins", "file" },
	{ "builtins", "getattr" },
	{ "builtins", "globals" },
	{ "builtins", "input" },
	{ "builtins", "locals" },
	{ "builtins", "open" },
	{ "builtins", "raw_input" },
	{ "builtins", "reload" },
	{ "builtins", "setattr" },
	{ "builtins", "vars" },
	{ "functools", "partial" },
	{ "functools", "reduce" },
	{ "io", "FileIO" },
	{ "io", "open" },
	{ "itertools", "starmap" },
	{ "logging.config", "fileConfig" },
	{ "operator", "attrgetter" },
	{ "operator", "itemgetter" },
	{ "operator", "methodcaller" },
	{ "platform", "popen" },
	{ "torch", "load" },
	{ "torch.jit", "load" },
	{ "torch.serialization", "load" },
	{ "torch.storage", "_load_from_bytes" },
	{ "torch.utils.cpp_extension", "load" },
	{ "torch.utils.cpp_extension", "load_inline" },
	{ "types", "CodeType" },
	{ "types", "FunctionType" },
};

/* name is `word`, or begins with it and a dot. */
static bool begins(const char *name, const char *word)
{
	size_t n = strlen(word);

	return !strncmp(name, word, n) && (!name[n] || name[n] == '.');
}

bool pickle_is_dangerous(const char *module, const char *name)
{
	if (!strcmp(module, "__builtin__"))
		module = "builtins";
	for (size_t i = 0; i < sizeof(dangerous_modules) /
			       sizeof(dangerous_modules[0]); i++) {
		if (begins(module, dangerous_modules[i]))
			return true;
	}
	for (size_t i = 0; i < sizeof(dangerous_names) /
			       sizeof(dangerous_names[0]); i++) {
		if (!strcmp(module, dangerous_names[i].module) &&
		    begins(name, dangerous_names[i].name))
			return true;
	}
	return false;
}
