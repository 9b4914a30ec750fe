# FERRY_WARNINGS
#
# Put into WARN_CFLAGS those of ferry's warning flags that the compiler takes,
# and -Werror with --enable-werror.  Written here because the archive's macro
# appends to CFLAGS, which belongs to the person who builds.
AC_DEFUN([FERRY_WARNINGS], [
	WARN_CFLAGS=
	ferry_saved_CFLAGS=$CFLAGS
	for ferry_flag in -Wall -Wextra -Wshadow -Wstrict-prototypes \
		-Wmissing-prototypes -Wpointer-arith -Wvla -Wformat=2 -Wundef \
		-Wwrite-strings; do
		AC_MSG_CHECKING([whether $CC takes $ferry_flag])
		CFLAGS="$ferry_saved_CFLAGS -Werror $ferry_flag"
		AC_COMPILE_IFELSE([AC_LANG_PROGRAM([], [])],
			[AC_MSG_RESULT([yes])
			 WARN_CFLAGS="$WARN_CFLAGS $ferry_flag"],
			[AC_MSG_RESULT([no])])
	done
	CFLAGS=$ferry_saved_CFLAGS
	AS_IF([test "$enable_werror" = yes],
		[WARN_CFLAGS="$WARN_CFLAGS -Werror"])
	AC_SUBST([WARN_CFLAGS])
])
