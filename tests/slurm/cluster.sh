# A Slurm cluster of three nodes on this machine, without systemd and without
# touching the system's own.  Sourced; needs slurmctld, slurmd, munged.
#
#	cluster_start DIR       everything below DIR; sets SLURM_CONF
#	cluster_stop
#	controller_start        after controller_kill, which is kill -9

cluster_config()
{
	host=$(hostname -s)
	cat <<END
ClusterName=ferry
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$((port))
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
AuthType=auth/munge
AuthInfo=socket=$cluster/munge/socket
CredType=cred/munge
StateSaveLocation=$cluster/state
SlurmdSpoolDir=$cluster/spool/%n
SlurmctldPidFile=$cluster/slurmctld.pid
SlurmdPidFile=$cluster/slurmd-%n.pid
SlurmctldLogFile=$cluster/slurmctld.log
SlurmdLogFile=$cluster/slurmd-%n.log
PlugStackConfig=$cluster/plugstack
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc=$cluster/jobcomp.txt
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_min_interval=50000,batch_sched_delay=0,bf_interval=1
MpiDefault=none
ReturnToService=2
SlurmdTimeout=10
KillWait=2
JobRequeue=1
${cluster_site:-}
MaxArraySize=1001
SlurmdParameters=config_overrides
PartitionName=main Nodes=n[1-3] Default=YES MaxTime=INFINITE State=UP
END
	for i in 1 2 3; do
		echo "NodeName=n$i NodeHostname=$host NodeAddr=127.0.0.1" \
			"Port=$((port + i)) CPUs=4 RealMemory=8000 State=UNKNOWN"
	done
}

# until_true SECONDS COMMAND...
until_true()
{
	tries=$(($1 * 10))
	shift
	until "$@"; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || return 1
		sleep 0.1
	done
}

idle()
{
	[ "$(sinfo -h -t idle -o %D 2>/dev/null)" = 3 ]
}

controller_start()
{
	slurmctld -f "$SLURM_CONF" "$@"
}

controller_pid()
{
	cat "$cluster/slurmctld.pid" 2>/dev/null
}

gone()
{
	! kill -0 "$1" 2>/dev/null
}

controller_kill()
{
	was=$(controller_pid)
	kill -9 "$was" && until_true 10 gone "$was"
	rm -f "$cluster/slurmctld.pid"
}

cluster_start()
{
	cluster=$1
	port=$((20000 + $$ % 20000))
	SLURM_CONF=$cluster/slurm.conf
	export SLURM_CONF
	mkdir -p "$cluster/munge" "$cluster/state" "$cluster/spool/n1" \
		"$cluster/spool/n2" "$cluster/spool/n3"
	chmod 700 "$cluster/munge"
	chmod 711 "$cluster"
	: >"$cluster/plugstack"
	chmod 600 "$cluster/plugstack"
	(umask 077; dd if=/dev/urandom of="$cluster/munge/key" bs=128 count=1) \
		2>/dev/null
	cluster_config >"$SLURM_CONF"
	munged --key-file="$cluster/munge/key" \
		--socket="$cluster/munge/socket" \
		--pid-file="$cluster/munge/pid" \
		--log-file="$cluster/munge/log" \
		--seed-file="$cluster/munge/seed" --num-threads=2 --force \
		2>/dev/null || return 1
	controller_start -c || return 1
	for i in 1 2 3; do
		slurmd -f "$SLURM_CONF" -N n$i || return 1
	done
	until_true 30 idle
}

cluster_stop()
{
	for each in "$cluster"/slurmd-n?.pid "$cluster/slurmctld.pid" \
		"$cluster/munge/pid"; do
		[ -s "$each" ] || continue
		pid=$(cat "$each")
		kill "$pid" 2>/dev/null
		until_true 5 gone "$pid" || kill -9 "$pid" 2>/dev/null
	done
}
