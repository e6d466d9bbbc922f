#!/usr/bin/env python3
"""tools/gen_table.py refuses every malformed row with FILE:LINE: what is wrong, and writes nothing.

Each test puts one mistake into a small sound table.  SYSCALLS, SUBCALLS and STRUCTS below are the table; a row that a test
adds or changes is the last of its file unless it is said otherwise.
"""
import contextlib
import io
import os
import re
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tools"))
import gen_table  # noqa: E402

FILES = ("syscalls", "subcalls", "structs")
SYSCALLS = """\
nr name class sel in out ret fd fdkind flags groups hook why
0x1000 <fault> ALL - 0:u32_1:u32 - val - - pseudo - - -
0x1001 <rdtsc> LEADER - - - val - - pseudo - - -
0x1002 <rdtscp> LEADER - - - val - - pseudo - - -
0x1003 <cpuid> LEADER - 0:u32_1:u32 - val - - pseudo - - -
0x1004 <begin> EMUL - - - val - - pseudo - begin -
0x1005 <spin> EMUL - 0:u32 - val - - pseudo - spin -
0x1006 <enter> ALL - - - val - - pseudo - enter -
0 read LEADER_LOCAL - 0:fd_1:ptr_2:u64 1:buf:ret val 0 - blocks - - -
72 fcntl DENY:EINVAL 1 0:fd_1:u32_2:ign - val 0 - - - - unknown
100 call LEADER - 0:fd_1:ptr_2:u64_3:st:pair_4:u32 - val - - - - - -
"""
SUBCALLS = """\
parent selector name class in out ret fdkind flags groups hook why
fcntl 1-3 F_SOME LEADER 0:fd_1:u32_2:u32 - val - - - - -
"""
STRUCTS = """\
name size fields
pair 16 first@0+8_second@8+8
"""


def rows(text):
    """Lines of cells: blanks above stand for tabs, underscores in operands and fields for blanks."""
    return [[re.sub(r"_(?=[0-9]:|[a-z.]+@)", " ", cell) for cell in line.split(" ")] for line in text.splitlines()]


def run(*arguments):
    """The generator's exit status and what it says."""
    with contextlib.redirect_stderr(io.StringIO()) as said:
        status = gen_table.main(list(arguments))
    return status, said.getvalue()


class Table:
    def __init__(self):
        self.rows = dict(zip(FILES, map(rows, (SYSCALLS, SUBCALLS, STRUCTS))))

    def set(self, file, **cells):
        """Change cells of the last row; class_ and in_ stand for column names that are Python's words."""
        for column, cell in cells.items():
            self.rows[file][-1][self.rows[file][0].index(column.rstrip("_"))] = cell

    def add(self, file, *cells):
        self.rows[file].append(list(cells))

    def generate(self, folder, raw=None):
        """Returns exit status, the messages, whether a file was written.  raw: bytes of files instead of the rows'."""
        paths, out = [], os.path.join(folder, "out.c")
        for file in FILES:
            paths.append(os.path.join(folder, file))
            data = "".join("\t".join(row) + "\n" for row in self.rows[file]).encode()
            with open(paths[-1], "wb") as f:
                f.write((raw or {}).get(file, data))
        status, said = run(out, *paths)
        return status, said.replace(folder + os.sep, ""), os.path.exists(out)


class Generator(unittest.TestCase):
    def setUp(self):
        self.table = Table()
        folder = tempfile.TemporaryDirectory(prefix="gt.")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def good(self):
        self.assertEqual(self.table.generate(self.folder), (0, "", True))

    def bad(self, file, line, message, raw=None):
        """Exactly this one mistake is reported, there; message is a pattern."""
        status, said, written = self.table.generate(self.folder, raw)
        self.assertEqual((status, written), (1, False), said)
        self.assertRegex(said, rf"\A{file}:{line}: {message}\n\Z")

    def bad_call(self, message, **cells):
        self.table.set("syscalls", **cells)
        self.bad("syscalls", 11, message)

    def bad_sub(self, message, **cells):
        self.table.set("subcalls", **cells)
        self.bad("subcalls", 2, message)

    def bad_struct(self, message, **cells):
        self.table.add("structs", "other", "16", "a@0+4")
        self.table.set("structs", **cells)
        self.bad("structs", 3, message)

    # ---- what is right ----

    def test_sound_table(self):
        self.good()

    def test_sound_operands(self):
        for inputs, outputs in (
                ("0:fd 1:buf:a2 2:u64", "-"), ("0:fd 1:ptr 2:u32", "1:buf:min(ret,a2)"), ("0:fd 1:buf:min(4,a2) 2:u32", "-"),
                ("0:fd 1:ptr 2:ptr", "1:buf:vr(a2) 2:buf:4"), ("0:fd 1:ptr?a0&0x10 2:u32?!a0&3 3:u32?a0=7", "1:st:pair!"),
                ("0:fd 1:st:pair:a2 2:u32", "-"), ("0:fd 1:iovlay:a2 2:u32", "1:iov:ret"), ("-", "-")):
            self.table.set("syscalls", in_=inputs, out=outputs)
            with self.subTest(inputs):
                self.good()

    def test_all_mistakes_are_reported(self):
        self.table.set("syscalls", class_="NONE")
        self.table.set("subcalls", ret="none")
        self.table.set("structs", size="x")
        status, said, _ = self.table.generate(self.folder)
        self.assertEqual(status, 1)
        where = [":".join(line.split(":")[:2]) for line in said.splitlines()]
        for place in ("structs:2", "syscalls:11", "subcalls:2"):
            self.assertIn(place, where)

    # ---- files and lines ----

    def test_header(self):
        for file in FILES:
            with self.subTest(file):
                self.setUp()
                self.table.rows[file][0][-1] = "other"
                self.bad(file, 1, "the first line must name the columns: .*")

    def test_empty_file(self):
        self.bad("structs", 1, "the first line must name the columns: name size fields\n(.*\n)*.*", raw={"structs": b""})

    def test_column_count(self):
        for file, line in (("syscalls", 12), ("subcalls", 3), ("structs", 3)):
            for change in (lambda row: row[:-1], lambda row: row + ["-"]):
                with self.subTest(file):
                    self.setUp()
                    self.table.rows[file].append(change(self.table.rows[file][-1]))
                    self.bad(file, line, r"\d+ columns, \d+ expected .*")

    def test_empty_line(self):
        self.table.add("structs", "")
        self.bad("structs", 3, "1 columns, 3 expected .*")

    def test_cells(self):
        for cell in ("", " ", " -", "- ", "a  b"):
            with self.subTest(cell):
                self.setUp()
                self.bad_call("column why is empty or has stray blanks.*", why=cell)

    def test_control_character(self):
        self.bad_call("column why has a control character", why="bell \a here")

    def test_line_end_of_another_system(self):
        self.bad_call("column why is empty or has stray blanks.*", why="-\r")

    def test_not_utf8(self):
        self.bad("structs", 2, "not UTF-8", raw={"structs": b"name\tsize\tfields\n\xff\t16\t*\npair\t16\t*\n"})

    def test_missing_file(self):
        self.assertEqual(run("out.c", "/no/such", "/no/such", "/no/such"), (1, "/no/such: No such file or directory\n"))

    def test_usage(self):
        for arguments in ([], ["out.c", "a", "b"], ["--hooks", "a", "b"], ["--unknown", "a", "b", "c"]):
            with self.subTest(arguments):
                self.assertEqual(run(*arguments), (2, gen_table.__doc__ + "\n"))

    # ---- calls ----

    def test_number(self):
        for nr in ("x", "-1", "1.5", "0X10", "0x", "0xAB", "007", "\u0663", "1 0"):
            with self.subTest(nr):
                self.setUp()
                self.bad_call("nr '.*' is not a number", nr=nr)

    def test_number_range(self):
        self.bad_call("number 512 is neither below 512 nor a pseudo call", nr="512")
        self.bad_call("nr 0x1007 is above 0x1006", nr="0x1007")

    def test_duplicate_number(self):
        self.table.add("syscalls", *self.table.rows["syscalls"][-1])
        self.table.set("syscalls", name="again")
        self.bad("syscalls", 12, "number 100 is already in line 11")

    def test_duplicate_name(self):
        self.table.add("syscalls", *self.table.rows["syscalls"][-1])
        self.table.set("syscalls", nr="101")
        self.bad("syscalls", 12, "'call' is already in line 11")

    def test_name(self):
        for name in ("Call", "2call", "a-b", "<other>"):
            with self.subTest(name):
                self.setUp()
                self.bad_call(f"'{name}' is not a call name", name=name)

    def test_pseudo_calls(self):
        table = self.table.rows["syscalls"]
        table[1][1] = "<other>"
        self.bad("syscalls", 2, "pseudo call 0x1000 is <fault>, not <other>\nsyscalls:1: no row for the pseudo call 0x1000 <fault>")
        table[1][1], table[1][9] = "<fault>", "-"
        self.bad("syscalls", 2, "the flag pseudo is for .*\nsyscalls:1: no row for the pseudo call 0x1000 <fault>")
        del table[1]
        self.bad("syscalls", 1, "no row for the pseudo call 0x1000 <fault>")

    def test_pseudo_flag_of_a_call(self):
        self.bad_call("the flag pseudo is for rows with names in <angle brackets>.*", flags="pseudo")

    def test_class(self):
        for cls in ("NONE", "leader", "LEADER:", "LEADER:EPERM", "DENIED", "-"):
            with self.subTest(cls):
                self.setUp()
                self.bad_call(f"unknown class '{cls}' .*", class_=cls)

    def test_deny(self):
        self.bad_call("DENY needs an errno: DENY:EPERM", class_="DENY", why="reason")
        self.bad_call("DENY needs an errno: DENY:EPERM", class_="DENY:")
        for err in ("EWHAT", "eperm", "errorcode", "__name__", "1"):
            self.bad_call(f"unknown errno '{err}'", class_="DENY:" + err)
        self.bad_call("DENY needs a reason in the column why", class_="DENY:EPERM", why="-")
        self.bad_call(r"a '\|' in the column why would end a cell.*", why="this | that")
        self.bad_call("DENY takes no hook: nothing is executed", why="reason", hook="open")

    def test_emulated_without_hook(self):
        self.bad_call("EMUL needs a hook that answers", class_="EMUL")

    def test_outputs_of_a_class_without(self):
        for cls, why in (("ALL", "-"), ("LOCAL", "-"), ("DENY:EPERM", "reason")):
            self.bad_call(f"class {cls.split(':')[0]} has no outputs to replicate.*", class_=cls, why=why, out="1:buf:8")

    def test_flags_of_a_local_call(self):
        self.bad_call("LOCAL takes no flag but blocks.*", class_="LOCAL", flags="blocks,ord_mm")

    def test_local_by_descriptor(self):
        self.bad_call("LEADER_LOCAL needs the argument that decides in the column fd", class_="LEADER_LOCAL")

    def test_descriptor_argument(self):
        self.bad_call("fd '-1' is not a number", fd="-1")
        self.bad_call("fd 6 is above 0x5", fd="6")
        self.bad_call("fd names argument 5, the call has 5", fd="5")
        self.bad_call("argument 1, named in the column fd, is no descriptor", fd="1")

    def test_result(self):
        self.bad_call("unknown result 'void' .*", ret="void")

    def test_new_descriptor(self):
        self.bad_call("a call that makes a descriptor needs the flag ord_fd", ret="fd", fdkind="file")
        self.bad_call("unknown fdkind 'disk' .*", fdkind="disk")
        self.bad_call("fdkind without a new descriptor: .*", ret="val", fdkind="pipe", out="1:buf:4")

    def test_flags_and_groups(self):
        for column, what, good in (("flags", "flag", "blocks"), ("groups", "group", "exec")):
            self.setUp()
            self.bad_call(f"unknown {what} 'odd' .*", **{column: good + ",odd"})
            self.bad_call(f"unknown {what} '' .*", **{column: good + ","})
            self.bad_call(f"{what} '{good}' twice", **{column: f"{good},{good}"})

    def test_hook(self):
        for hook in ("Open", "open()", "2nd", "a,b"):
            self.bad_call("hook '.*' is not a name of small letters, digits and _", hook=hook)

    # ---- operands ----

    def bad_input(self, message, *operands):
        for operand in operands:
            with self.subTest(operand):
                self.setUp()
                self.bad_call(message, in_=f"0:fd 1:u32 {operand}")

    def bad_output(self, message, *operands, inputs="0:fd 1:ptr 2:u64 3:ptr"):
        for operand in operands:
            with self.subTest(operand):
                self.setUp()
                self.bad_call(message, in_=inputs, out=operand)

    def test_operand_shape(self):
        self.bad_input("operand '.*' is not ARG:KIND.*", "2", "u32", "2:", "2:U32", "2:buf:", "2:u32?", "2:st:pair:", "x:u32", "2:u32!!",
                       "\u0662:u32")

    def test_kind(self):
        self.bad_input("unknown kind 'string' .*", "2:string")
        self.bad_output("unknown kind 'path' .*", "1:path")

    def test_length_rule(self):
        self.bad_input("unknown length rule '.*' in .*", "2:buf:x", "2:buf:b1", "2:buf:a1-1", "2:buf:a", "2:buf:max(a1)", "2:buf:-4",
                       "2:buf:010", "2:buf:a1*01", "2:buf:a1++4")
        self.bad_output("unknown length rule '.*' in .*", "1:buf:min(a2,ret)", "1:buf:ret-1", "1:buf:vr(2)")

    def test_length_rule_of_another_kind(self):
        self.bad_input("kind '.*' does not take the length rule '.*' in .*", "2:u32:4", "2:path:a1", "2:buf", "2:buf:ret", "2:iov:4", "2:iov",
                       "2:st:pair:ret")
        self.bad_output("kind '.*' does not take the length rule '.*' in .*", "1:buf", "1:iov:a2", "1:fdset:ret", "1:msg")

    def test_length_of_nothing(self):
        self.bad_input("0 bytes in the length rule '.*", "2:buf:0", "2:buf:a1*0", "2:buf:a1+0", "2:st:pair:0")
        self.bad_output("0 bytes in the length rule '.*", "1:buf:ret*0", "1:buf:ret+0")

    def test_length_too_long(self):
        self.bad_input("size 65536 in '.*' is above 65535", "2:buf:65536", "2:buf:a1*65536")
        self.bad_output("size 80000 of '.*' is above 65535", "1:st:pair:5000")

    def test_length_argument(self):
        self.bad_input("length rule of '.*' names argument 3, the call has 3", "2:buf:a3")
        self.bad_output("length rule of '.*' names argument 7, the call has 4", "1:buf:min(ret,a7)")
        self.bad_output("the length rule of '.*' names argument 3, which is a pointer", "1:buf:a3", "1:buf:pages(a3)")
        self.bad_output("the length rule of '.*' names argument 2, which is no pointer", "1:buf:vr(a2)")
        self.bad_output("the length rule of '.*' names argument 2, which is not compared", "1:buf:a2", inputs="0:fd 1:ptr 2:ign")
        self.bad_input("the length rule of '.*' names argument 3, which is not compared", "2:buf:a3 3:ign")

    def test_struct_name(self):
        self.bad_input("unknown struct '.*' in .*", "2:st:nothing", "2:st", "2:st:Pair", "2:st:a1")

    def test_condition(self):
        self.bad_input("unknown condition '.*' in .*", "2:u32?x", "2:u32?1", "2:u32?a1|2", "2:u32?a1&x", "2:u32?!a1", "2:u32?a1=010")
        self.bad_input("condition of '.*' names argument 5, the call has 3", "2:u32?a5", "2:u32?a5&1")
        self.bad_input("mask 0x100000000 is above 0xffffffff", "2:u32?a1&0x100000000")
        self.bad_input("the mask 0 in '.*' decides nothing", "2:u32?a1&0", "2:u32?!a1&0x0")
        self.bad_input("a condition in '.*', which is not looked at", "2:ign?a1")

    def test_order_of_inputs(self):
        self.bad_input("'.*' is out of order: every argument is listed, from 0 up", "3:u32", "0:fd")
        self.bad_call("'1:u32' is out of order.*", in_="1:u32")

    def test_too_many_arguments(self):
        self.bad_call("7 arguments, a call has at most 6", in_=" ".join(f"{i}:u32" for i in range(7)))

    def test_operand_twice(self):
        self.bad_input("'1:u32' twice", "1:u32")
        self.bad_output("'1:buf:8' twice", "1:buf:8 1:buf:8")

    def test_written_on_error(self):
        self.bad_input("'!' in the input '2:ptr!': only outputs are written on error", "2:ptr!")
        self.bad_output("'!' in '.*': the result of a call that failed is no length", "1:buf:ret!", "1:buf:min(ret,a2)!", "1:buf:ret+4!")

    def test_output_argument(self):
        self.bad_output("operand of '.*' names argument 5, the call has 4", "5:buf:8")
        self.bad_output("output '.*' goes through argument 2, which no input says is a pointer", "2:buf:8")
        self.bad_output("output '.*' goes through argument 2, which no input says is a pointer", "2:buf:8", inputs="0:fd 1:ptr 2:ign")

    def test_output_without_count(self):
        self.bad_output("output '.*' has no input operand of the same argument that counts its elements", "1:iov:ret", "1:mmsg:ret")

    # ---- selectors ----

    def test_parent(self):
        self.bad_sub("no call 'ioctl' in the table\nsyscalls:10: .*", parent="ioctl")
        self.bad_sub("read has no selector argument.*\nsyscalls:10: .*", parent="read")

    def test_parent_without_selectors(self):
        del self.table.rows["subcalls"][-1]
        self.bad("syscalls", 10, "fcntl has a selector but no row in .*subcalls")

    def test_selector_argument(self):
        self.table.rows["syscalls"][9][3] = "3"
        self.bad("syscalls", 10, "sel names argument 3, the call has 3\nsubcalls:2: no call 'fcntl' in the table")

    def test_selector(self):
        for selector in ("x", "1-", "-3", "1-2-3", "0x1-0xG"):
            with self.subTest(selector):
                self.setUp()
                self.bad_sub("selector '.*' is not a number\nsyscalls:10: .*", selector=selector)
        self.bad_sub("selector 0x100000000 is above 0xffffffff\nsyscalls:10: .*", selector="0x100000000")
        self.bad_sub("selector range '3-1' is upside down\nsyscalls:10: .*", selector="3-1")

    def test_selector_name(self):
        self.bad_sub("'F DUP' is not a selector name\nsyscalls:10: .*", name="F DUP")

    def test_selector_twice(self):
        for selector in ("3", "2", "0-1", "0-9"):
            with self.subTest(selector):
                self.setUp()
                self.table.add("subcalls", *self.table.rows["subcalls"][-1])
                self.table.set("subcalls", selector=selector, name="F_OTHER")
                line = 2 if selector.startswith("0") else 3
                self.bad("subcalls", line, rf"selector 0x\d is already in line {5 - line}")

    def test_selector_name_twice(self):
        self.table.add("subcalls", *self.table.rows["subcalls"][-1])
        self.table.set("subcalls", selector="9")
        self.bad("subcalls", 3, r"fcntl\(F_SOME\) twice")

    def test_selector_not_compared(self):
        self.bad_sub("argument 1, the selector, is not compared\nsyscalls:10: .*", in_="0:fd 1:ign 2:u32")

    def test_more_arguments_than_the_parent(self):
        self.bad_sub("4 arguments, fcntl has 3\nsyscalls:10: .*", in_="0:fd 1:u32 2:u32 3:u32")

    def test_common_columns_of_selectors(self):
        self.bad_sub("unknown class 'SOME' .*\nsyscalls:10: .*", class_="SOME")
        self.bad_sub("DENY needs a reason in the column why\nsyscalls:10: .*", class_="DENY:EPERM")

    # ---- structs ----

    def test_struct(self):
        for name in ("Other", "2nd", "a-b", "a.b"):
            self.setUp()
            self.bad_struct(f"'{name}' is not a struct name", name=name)

    def test_struct_twice(self):
        self.bad_struct("struct 'pair' twice", name="pair")

    def test_struct_size(self):
        self.bad_struct("size 'x' is not a number", size="x")
        self.setUp()
        self.bad_struct("size 65536 is above 0xffff", size="65536")
        self.setUp()
        self.bad_struct("size 0", size="0")

    def test_struct_fields(self):
        for fields, message in (
                ("a", "field 'a' is not NAME@OFFSET.LENGTH"), ("a@0", "field 'a@0' is not NAME@.*"), ("A@0+4", "field 'A@0.4' is not NAME@.*"),
                ("a@0+04", "field 'a@0.04' is not NAME@.*"), ("-", "field '-' is not NAME@.*"), ("* a@0+4", r"field '\*' is not NAME@.*"),
                ("a@0+4 b@2+4", "field 'b@2.4' overlaps the one before it, or is out of order"),
                ("a@8+4 b@0+4", "field 'b@0.4' overlaps the one before it, or is out of order"),
                ("a@0+4 a@4+4", "field 'a' twice"),
                ("a@0+0", "field 'a@0.0' is empty or reaches past the size 16"),
                ("a@0+17", "field 'a@0.17' is empty or reaches past the size 16"),
                ("a@16+1", "field 'a@16.1' is empty or reaches past the size 16")):
            with self.subTest(fields):
                self.setUp()
                self.bad_struct(message, fields=fields)


if __name__ == "__main__":
    unittest.main()
