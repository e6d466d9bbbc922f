#include <pthread.h>
#include <Zydis/Zydis.h>
#include "rewrite/decode.h"
#include "rewrite/plan.h"

#define RIP_RM 5		/* ModRM: mod 0, rm 5 */

static ZydisDecoder decoder;	/* constant once it is made */
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void init(void)
{
	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
}

static bool is_rip_relative(const ZydisDecodedInstruction *z)
{
	return z->attributes & ZYDIS_ATTRIB_HAS_MODRM && z->raw.modrm.mod == 0 && z->raw.modrm.rm == RIP_RM;
}

/*
 * Not movable: what pushes or is asked for its own address (calls, traps), what needs the kernel (the trampoline is no
 * place that may call it), and what a branch may jump over a part of (the lock prefix).
 */
static bool is_movable_kind(const ZydisDecodedInstruction *z)
{
	switch (z->meta.category) {
	case ZYDIS_CATEGORY_CALL:
	case ZYDIS_CATEGORY_INTERRUPT:
	case ZYDIS_CATEGORY_IO:
	case ZYDIS_CATEGORY_IOSTRINGOP:
	case ZYDIS_CATEGORY_SYSCALL:
	case ZYDIS_CATEGORY_SYSRET:
	case ZYDIS_CATEGORY_SYSTEM:
	case ZYDIS_CATEGORY_VTX:
		return false;
	default:
		break;
	}
	switch (z->mnemonic) {
	case ZYDIS_MNEMONIC_UD0:
	case ZYDIS_MNEMONIC_UD1:
	case ZYDIS_MNEMONIC_UD2:
	case ZYDIS_MNEMONIC_XABORT:
		return false;
	default:
		return !(z->attributes & ZYDIS_ATTRIB_HAS_LOCK);
	}
}

static void set_branch(const ZydisDecodedInstruction *z, struct mv_insn *in)
{
	bool plain = !(z->attributes & ZYDIS_ATTRIB_HAS_OPERANDSIZE);
	bool condition = (z->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT && (z->opcode & 0xf0) == 0x70) ||
			 (z->opcode_map == ZYDIS_OPCODE_MAP_0F && (z->opcode & 0xf0) == 0x80);
	bool jump = z->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT && (z->opcode == 0xe9 || z->opcode == 0xeb);

	in->has_target = true;
	in->target = in->vaddr + z->length + (uint64_t)z->raw.imm[0].value.s;
	in->field = z->raw.imm[0].offset;
	in->kind = jump ? MV_DISPLACED_JMP : MV_DISPLACED_JCC;
	in->movable = plain && (jump || condition);
}

static bool ends_flow(const ZydisDecodedInstruction *z)
{
	return z->meta.category == ZYDIS_CATEGORY_UNCOND_BR || z->meta.category == ZYDIS_CATEGORY_RET ||
	       z->mnemonic == ZYDIS_MNEMONIC_UD2 || z->mnemonic == ZYDIS_MNEMONIC_HLT;
}

bool mv_decode(const uint8_t *bytes, size_t size, uint64_t vaddr, struct mv_insn *in)
{
	ZydisDecodedInstruction z;
	ZydisDecoderContext context;

	pthread_once(&once, init);
	if (ZYAN_FAILED(ZydisDecoderDecodeInstruction(&decoder, &context, bytes, size, &z)))
		return false;
	*in = (struct mv_insn){
		.vaddr = vaddr,
		.length = z.length,
		.kind = MV_DISPLACED_PLAIN,
		.goes_on = !ends_flow(&z),
		.movable = is_movable_kind(&z),
		.padding = z.mnemonic == ZYDIS_MNEMONIC_NOP || z.mnemonic == ZYDIS_MNEMONIC_INT3,
		.site = z.mnemonic == ZYDIS_MNEMONIC_SYSCALL || z.mnemonic == ZYDIS_MNEMONIC_RDTSC,
	};
	if (z.raw.imm[0].is_relative) {
		bool may = in->movable;

		set_branch(&z, in);
		in->movable &= may;
	} else if (is_rip_relative(&z)) {
		in->kind = MV_DISPLACED_RIP;
		in->field = z.raw.disp.offset;
		in->movable &= z.raw.disp.size == 32 && z.address_width == 64;
	}
	return true;
}

enum mv_writes_rax mv_decode_rax(const uint8_t *bytes, size_t size, uint64_t *value)
{
	ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction z;
	bool writes = false;

	pthread_once(&once, init);
	if (ZYAN_FAILED(ZydisDecoderDecodeFull(&decoder, bytes, size, &z, op)) || z.meta.category == ZYDIS_CATEGORY_CALL ||
	    z.meta.category == ZYDIS_CATEGORY_SYSCALL || z.meta.category == ZYDIS_CATEGORY_INTERRUPT)
		return MV_RAX_UNKNOWN;
	for (unsigned i = 0; i < z.operand_count; i++)
		writes |= op[i].type == ZYDIS_OPERAND_TYPE_REGISTER && op[i].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE &&
			  ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, op[i].reg.value) == ZYDIS_REGISTER_RAX;
	if (!writes)
		return MV_RAX_KEPT;
	if (z.mnemonic == ZYDIS_MNEMONIC_MOV && op[0].size >= 32 && op[1].type == ZYDIS_OPERAND_TYPE_IMMEDIATE)
		*value = op[1].imm.value.u;
	else if (z.mnemonic == ZYDIS_MNEMONIC_XOR && op[0].size >= 32 && op[1].type == ZYDIS_OPERAND_TYPE_REGISTER &&
		 op[0].reg.value == op[1].reg.value)
		*value = 0;
	else
		return MV_RAX_UNKNOWN;
	return MV_RAX_SET;
}
