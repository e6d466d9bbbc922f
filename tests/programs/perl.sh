#!/bin/sh
# test: needs=perl heap
# perl: files, hashes, fork, pipes, signals, sockets, sprintf, regular expressions.
exec perl -w - << 'END'
use strict;
use IO::Socket::INET;
$| = 1;
my %h = map { $_ => $_ ** 2 } 1 .. 1000;
my $sum = 0;
$sum += $h{$_} for sort { $a <=> $b } keys %h;
print "$sum\n";
open my $out, '>', 'f' or die;
print $out "line $_\n" for 1 .. 500;
close $out;
open my $in, '<', 'f' or die;
my @match = grep { /7$/ } <$in>;
print scalar(@match), "\n";
print `echo backticks; exit 3`, $? >> 8, "\n";
my $pid = fork;
if (!$pid) { exit 12 }
waitpid $pid, 0;
print $? >> 8, "\n";
open my $pipe, '-|', 'seq 1 5' or die;
print join(',', map { chomp; $_ } <$pipe>), "\n";
close $pipe;
my $alarms = 0;
$SIG{ALRM} = sub { $alarms++ };
alarm 1;
select undef, undef, undef, 3;
print "alarms $alarms\n";
my $server = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1', Proto => 'tcp') or die;
$pid = fork;
if (!$pid) {
	my $c = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $server->sockport) or die;
	print $c "hello over tcp\n";
	print scalar <$c>;
	exit 0;
}
my $c = $server->accept;
my $line = <$c>;
print $c uc $line;
waitpid $pid, 0;
printf "%s %05.2f %x\n", 'text', 3.14159, 255;
(my $t = 'a-b-c') =~ s/(\w)-/$1+/g;
print "$t\n";
eval { die "caught\n" };
print $@;
warn "to stderr\n";
exit 6;
END
