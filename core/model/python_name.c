/* Names of classes and functions across Python versions. */
#include "config.h"

#include <ferry/sys/python_name.h>

#include <stdlib.h>
#include <string.h>

struct name_rename {
	const char *old_module, *old_name, *module, *name;
};

struct module_rename {
	const char *old, *modern;
};

/* Sorted by old module and name. */
static const struct name_rename name_renames[] = {
	{ "UserDict", "IterableUserDict", "collections", "UserDict" },
	{ "UserDict", "UserDict", "collections", "UserDict" },
	{ "UserList", "UserList", "collections", "UserList" },
	{ "UserString", "UserString", "collections", "UserString" },
	{ "__builtin__", "basestring", "builtins", "str" },
	{ "__builtin__", "intern", "sys", "intern" },
	{ "__builtin__", "long", "builtins", "int" },
	{ "__builtin__", "reduce", "functools", "reduce" },
	{ "__builtin__", "unichr", "builtins", "chr" },
	{ "__builtin__", "unicode", "builtins", "str" },
	{ "__builtin__", "xrange", "builtins", "range" },
	{ "_multiprocessing", "Connection",
	  "multiprocessing.connection", "Connection" },
	{ "_socket", "fromfd", "socket", "fromfd" },
	{ "exceptions", "ArithmeticError", "builtins", "ArithmeticError" },
	{ "exceptions", "AssertionError", "builtins", "AssertionError" },
	{ "exceptions", "AttributeError", "builtins", "AttributeError" },
	{ "exceptions", "BaseException", "builtins", "BaseException" },
	{ "exceptions", "BufferError", "builtins", "BufferError" },
	{ "exceptions", "BytesWarning", "builtins", "BytesWarning" },
	{ "exceptions", "DeprecationWarning",
	  "builtins", "DeprecationWarning" },
	{ "exceptions", "EOFError", "builtins", "EOFError" },
	{ "exceptions", "EnvironmentError", "builtins", "EnvironmentError" },
	{ "exceptions", "Exception", "builtins", "Exception" },
	{ "exceptions", "FloatingPointError",
	  "builtins", "FloatingPointError" },
	{ "exceptions", "FutureWarning", "builtins", "FutureWarning" },
	{ "exceptions", "GeneratorExit", "builtins", "GeneratorExit" },
	{ "exceptions", "IOError", "builtins", "IOError" },
	{ "exceptions", "ImportError", "builtins", "ImportError" },
	{ "exceptions", "ImportWarning", "builtins", "ImportWarning" },
	{ "exceptions", "IndentationError", "builtins", "IndentationError" },
	{ "exceptions", "IndexError", "builtins", "IndexError" },
	{ "exceptions", "KeyError", "builtins", "KeyError" },
	{ "exceptions", "KeyboardInterrupt", "builtins", "KeyboardInterrupt" },
	{ "exceptions", "LookupError", "builtins", "LookupError" },
	{ "exceptions", "MemoryError", "builtins", "MemoryError" },
	{ "exceptions", "NameError", "builtins", "NameError" },
	{ "exceptions", "NotImplementedError",
	  "builtins", "NotImplementedError" },
	{ "exceptions", "OSError", "builtins", "OSError" },
	{ "exceptions", "OverflowError", "builtins", "OverflowError" },
	{ "exceptions", "PendingDeprecationWarning",
	  "builtins", "PendingDeprecationWarning" },
	{ "exceptions", "ReferenceError", "builtins", "ReferenceError" },
	{ "exceptions", "RuntimeError", "builtins", "RuntimeError" },
	{ "exceptions", "RuntimeWarning", "builtins", "RuntimeWarning" },
	{ "exceptions", "StandardError", "builtins", "Exception" },
	{ "exceptions", "StopIteration", "builtins", "StopIteration" },
	{ "exceptions", "SyntaxError", "builtins", "SyntaxError" },
	{ "exceptions", "SyntaxWarning", "builtins", "SyntaxWarning" },
	{ "exceptions", "SystemError", "builtins", "SystemError" },
	{ "exceptions", "SystemExit", "builtins", "SystemExit" },
	{ "exceptions", "TabError", "builtins", "TabError" },
	{ "exceptions", "TypeError", "builtins", "TypeError" },
	{ "exceptions", "UnboundLocalError", "builtins", "UnboundLocalError" },
	{ "exceptions", "UnicodeDecodeError",
	  "builtins", "UnicodeDecodeError" },
	{ "exceptions", "UnicodeEncodeError",
	  "builtins", "UnicodeEncodeError" },
	{ "exceptions", "UnicodeError", "builtins", "UnicodeError" },
	{ "exceptions", "UnicodeTranslateError",
	  "builtins", "UnicodeTranslateError" },
	{ "exceptions", "UnicodeWarning", "builtins", "UnicodeWarning" },
	{ "exceptions", "UserWarning", "builtins", "UserWarning" },
	{ "exceptions", "ValueError", "builtins", "ValueError" },
	{ "exceptions", "Warning", "builtins", "Warning" },
	{ "exceptions", "ZeroDivisionError", "builtins", "ZeroDivisionError" },
	{ "itertools", "ifilter", "builtins", "filter" },
	{ "itertools", "ifilterfalse", "itertools", "filterfalse" },
	{ "itertools", "imap", "builtins", "map" },
	{ "itertools", "izip", "builtins", "zip" },
	{ "itertools", "izip_longest", "itertools", "zip_longest" },
	{ "multiprocessing", "AuthenticationError",
	  "multiprocessing.context", "AuthenticationError" },
	{ "multiprocessing", "BufferTooShort",
	  "multiprocessing.context", "BufferTooShort" },
	{ "multiprocessing", "ProcessError",
	  "multiprocessing.context", "ProcessError" },
	{ "multiprocessing", "TimeoutError",
	  "multiprocessing.context", "TimeoutError" },
	{ "multiprocessing.forking", "Popen",
	  "multiprocessing.popen_fork", "Popen" },
	{ "multiprocessing.process", "Process",
	  "multiprocessing.context", "Process" },
	{ "socket", "_socketobject", "socket", "SocketType" },
	{ "urllib", "ContentTooShortError",
	  "urllib.error", "ContentTooShortError" },
	{ "urllib", "getproxies", "urllib.request", "getproxies" },
	{ "urllib", "pathname2url", "urllib.request", "pathname2url" },
	{ "urllib", "quote", "urllib.parse", "quote" },
	{ "urllib", "quote_plus", "urllib.parse", "quote_plus" },
	{ "urllib", "unquote", "urllib.parse", "unquote" },
	{ "urllib", "unquote_plus", "urllib.parse", "unquote_plus" },
	{ "urllib", "url2pathname", "urllib.request", "url2pathname" },
	{ "urllib", "urlcleanup", "urllib.request", "urlcleanup" },
	{ "urllib", "urlencode", "urllib.parse", "urlencode" },
	{ "urllib", "urlopen", "urllib.request", "urlopen" },
	{ "urllib", "urlretrieve", "urllib.request", "urlretrieve" },
	{ "urllib2", "HTTPError", "urllib.error", "HTTPError" },
	{ "urllib2", "URLError", "urllib.error", "URLError" },
	{ "whichdb", "whichdb", "dbm", "whichdb" },
};

/* Sorted by old name. */
static const struct module_rename module_renames[] = {
	{ "BaseHTTPServer", "http.server" },
	{ "CGIHTTPServer", "http.server" },
	{ "ConfigParser", "configparser" },
	{ "Cookie", "http.cookies" },
	{ "Dialog", "tkinter.dialog" },
	{ "DocXMLRPCServer", "xmlrpc.server" },
	{ "FileDialog", "tkinter.filedialog" },
	{ "HTMLParser", "html.parser" },
	{ "Queue", "queue" },
	{ "ScrolledText", "tkinter.scrolledtext" },
	{ "SimpleDialog", "tkinter.simpledialog" },
	{ "SimpleHTTPServer", "http.server" },
	{ "SimpleXMLRPCServer", "xmlrpc.server" },
	{ "SocketServer", "socketserver" },
	{ "StringIO", "io" },
	{ "Tix", "tkinter.tix" },
	{ "Tkconstants", "tkinter.constants" },
	{ "Tkdnd", "tkinter.dnd" },
	{ "Tkinter", "tkinter" },
	{ "UserDict", "collections" },
	{ "UserList", "collections" },
	{ "UserString", "collections" },
	{ "__builtin__", "builtins" },
	{ "_abcoll", "collections.abc" },
	{ "_elementtree", "xml.etree.ElementTree" },
	{ "_winreg", "winreg" },
	{ "anydbm", "dbm" },
	{ "cPickle", "pickle" },
	{ "cStringIO", "io" },
	{ "commands", "subprocess" },
	{ "cookielib", "http.cookiejar" },
	{ "copy_reg", "copyreg" },
	{ "dbhash", "dbm.bsd" },
	{ "dbm", "dbm.ndbm" },
	{ "dumbdbm", "dbm.dumb" },
	{ "dummy_thread", "_dummy_thread" },
	{ "gdbm", "dbm.gnu" },
	{ "htmlentitydefs", "html.entities" },
	{ "httplib", "http.client" },
	{ "markupbase", "_markupbase" },
	{ "repr", "reprlib" },
	{ "robotparser", "urllib.robotparser" },
	{ "test.test_support", "test.support" },
	{ "thread", "_thread" },
	{ "tkColorChooser", "tkinter.colorchooser" },
	{ "tkCommonDialog", "tkinter.commondialog" },
	{ "tkFileDialog", "tkinter.filedialog" },
	{ "tkFont", "tkinter.font" },
	{ "tkMessageBox", "tkinter.messagebox" },
	{ "tkSimpleDialog", "tkinter.simpledialog" },
	{ "ttk", "tkinter.ttk" },
	{ "urllib2", "urllib.request" },
	{ "urlparse", "urllib.parse" },
	{ "whichdb", "dbm" },
	{ "xmlrpclib", "xmlrpc.client" },
};

enum {
	N_NAMES = sizeof(name_renames) / sizeof(name_renames[0]),
	N_MODULES = sizeof(module_renames) / sizeof(module_renames[0]),
};

static int compare(const char *text, size_t n, const char *with)
{
	size_t m = strlen(with);
	int order = memcmp(text, with, n < m ? n : m);

	return order ? order : (n > m) - (n < m);
}

static struct ferry_name literal(const char *module, const char *name)
{
	return (struct ferry_name){ module, name, strlen(module),
				     strlen(name) };
}

bool ferry_name_equal(struct ferry_name a, struct ferry_name b)
{
	return a.module_len == b.module_len && a.name_len == b.name_len &&
	       !memcmp(a.module, b.module, a.module_len) &&
	       !memcmp(a.name, b.name, a.name_len);
}

bool ferry_name_is(struct ferry_name a, const char *module, const char *name)
{
	return ferry_name_equal(a, literal(module, name));
}

static int by_name(const void *key, const void *row)
{
	const struct ferry_name *old = key;
	const struct name_rename *rename = row;
	int order = compare(old->module, old->module_len, rename->old_module);

	return order ? order :
	       compare(old->name, old->name_len, rename->old_name);
}

static int by_module(const void *key, const void *row)
{
	const struct ferry_name *old = key;
	const struct module_rename *rename = row;

	return compare(old->module, old->module_len, rename->old);
}

struct ferry_name ferry_name_modern(struct ferry_name old)
{
	const struct name_rename *name =
		bsearch(&old, name_renames, N_NAMES, sizeof(*name_renames),
			by_name);
	const struct module_rename *module;

	if (name)
		return literal(name->module, name->name);
	module = bsearch(&old, module_renames, N_MODULES,
			 sizeof(*module_renames), by_module);
	if (module) {
		old.module = module->modern;
		old.module_len = strlen(module->modern);
	}
	return old;
}

/* Modules that Python 3 cannot have: a name in them is an old one even where
 * nothing says so. */
static bool is_old_module(struct ferry_name name)
{
	static const char *const modules[] = { "__builtin__", "copy_reg",
					       "exceptions" };

	for (size_t i = 0; i < 3; i++)
		if (!compare(name.module, name.module_len, modules[i]))
			return true;
	return false;
}

struct ferry_name ferry_name_of(const struct ferry_value *global)
{
	struct ferry_name name = {
		global->u.global.module,
		global->u.global.name,
		global->u.global.module_len,
		global->u.global.name_len,
	};

	if (global->flags & FERRY_PY2 || is_old_module(name))
		return ferry_name_modern(name);
	return name;
}

/* The old name in the table of names that means `modern`: the last, for where
 * there are two it is the better known ("unicode", not "basestring"). */
static bool invert_name(struct ferry_name modern, struct ferry_name *out)
{
	const struct name_rename *found = NULL, *row;

	for (size_t i = 0; i < N_NAMES; i++) {
		row = &name_renames[i];
		if (!compare(modern.module, modern.module_len, row->module) &&
		    !compare(modern.name, modern.name_len, row->name) &&
		    strcmp(row->old_name, "StandardError"))
			found = row;
	}
	if (found)
		*out = literal(found->old_module, found->old_name);
	return found != NULL;
}

static bool leads_to(struct ferry_name old, struct ferry_name modern)
{
	return ferry_name_equal(ferry_name_modern(old), modern);
}

static bool invert_module(struct ferry_name modern, struct ferry_name *out)
{
	struct ferry_name old = modern;

	for (size_t i = 0; i < N_MODULES; i++) {
		if (compare(modern.module, modern.module_len,
			    module_renames[i].modern))
			continue;
		old.module = module_renames[i].old;
		old.module_len = strlen(old.module);
		if (leads_to(old, modern)) {
			*out = old;
			return true;
		}
	}
	return false;
}

bool ferry_name_old(struct ferry_name modern, struct ferry_name *out)
{
	bool builtin = !compare(modern.module, modern.module_len, "builtins") ||
		       !compare(modern.module, modern.module_len, "copyreg");

	if (builtin && (invert_name(modern, out) || invert_module(modern, out)))
		return true;
	if (leads_to(modern, modern)) {
		*out = modern;
		return true;
	}
	return invert_name(modern, out) || invert_module(modern, out);
}

bool ferry_value_same_global(const struct ferry_value *a,
			     const struct ferry_value *b)
{
	return ferry_name_equal(ferry_name_of(a), ferry_name_of(b));
}
